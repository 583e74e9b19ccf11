import { createPublisher, type SyncRequest, type WorkerRow } from '@oakestra/contracts';
import type { Fleet } from '../fleet/index.ts';

export const WORKER_ID = 'd'.repeat(24);

export const WORKER: WorkerRow = {
  name: 'gateway-7',
  isUp: true,
  ownLabels: { zone: 'north', rack: '7' },
  override: { version: 0, labels: {} },
  capacity: {
    ...{ vcpus: 4, memoryTotalMib: 8000, memoryAvailableMib: 6000, cpuPercent: 3, memoryPercent: 25 },
    ...{ virtualization: ['docker'], architectures: ['amd64'] },
  },
};

/** A cluster comes and says which workers it has; gives what it then says to requests of the root. */
export function reportWorkers(
  fleet: Pick<Fleet, 'clusterUp' | 'report'>,
  clusterId: string,
  workers: Readonly<Record<string, WorkerRow>>,
): { set(workerId: string, row: WorkerRow): void; answer(request: SyncRequest): void; digest(): void } {
  const source = { incarnation: 'c'.repeat(32), boot: 1 };
  const publisher = createPublisher<WorkerRow>(source);
  const tell = (): void => {
    const table = publisher.takeChanges();
    if (table !== undefined) fleet.report(clusterId, { type: 'workers', table });
  };
  fleet.clusterUp(clusterId, { ...source, highestEpoch: { root: 0, cluster: 0 } });
  fleet.report(clusterId, { type: 'workers', table: publisher.restart() });
  for (const [id, row] of Object.entries(workers)) publisher.set(id, row);
  tell();
  fleet.report(clusterId, { type: 'workers', table: publisher.digest() });
  return {
    set(workerId, row) {
      publisher.set(workerId, row);
      tell();
    },
    answer: (request) => fleet.report(clusterId, { type: 'workers', table: publisher.answer(request) }),
    digest: () => fleet.report(clusterId, { type: 'workers', table: publisher.digest() }),
  };
}
