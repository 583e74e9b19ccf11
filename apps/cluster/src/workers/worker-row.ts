import type { LabelOverride, Labels, WorkerRow } from '@oakestra/contracts';
import type { Member } from '@oakestra/ownership';

/** What the root is told of a worker. */
export function workerRow(
  name: string,
  member: Pick<Member, 'isUp' | 'facts'> | undefined,
  labels: { readonly own: Labels; readonly override: LabelOverride },
): WorkerRow {
  const facts = member?.facts;
  return {
    name,
    isUp: member?.isUp === true,
    ownLabels: { ...labels.own },
    override: labels.override,
    capacity:
      facts === undefined
        ? null
        : {
            vcpus: facts.vcpus,
            memoryTotalMib: facts.memoryTotalMib,
            memoryAvailableMib: facts.memoryAvailableMib,
            cpuPercent: facts.cpuPercent,
            memoryPercent: facts.memoryPercent,
            virtualization: facts.virtualization,
            architectures: facts.architectures,
          },
  };
}
