import type { InstanceLabels, InstanceState, InstanceStats, RuntimeInstance } from '../runtime.ts';
import { instanceNotFound } from '../runtime-errors.ts';
import { readCgroupProcesses, readCgroupUsage } from './cgroup-stats.ts';
import { containerIdOf } from './container-id.ts';
import { containerLabels, type RecordedInstance, readRecord } from './container-record.ts';
import type { DiskUsage } from './disk-usage.ts';
import { ContainersDefinition } from './gen/containerd/containers.gen.ts';
import { type Process, Status } from './gen/containerd/task-types.gen.ts';
import { exitOf, lostExit } from './instance-exit.ts';
import { findRecord, type RuntimeContext, writeLabels } from './runtime-context.ts';

export interface InstanceList {
  list(): Promise<readonly RuntimeInstance[]>;
  relabel(id: string, labels: InstanceLabels): Promise<void>;
  stats(id: string): Promise<InstanceStats | undefined>;
}

/** What exists and how it is. */
export function createInstanceList(context: RuntimeContext, diskUsage: DiskUsage): InstanceList {
  const { connection, clock, memory, tasks, markers } = context;

  const stateOf = async (record: RecordedInstance, task: Process | undefined): Promise<InstanceState> => {
    const entry = memory.of(record.id);
    entry.record = record;
    if (task === undefined) return stateWithoutTask(record);
    entry.pid = task.pid;
    if (task.status === Status.CREATED) return { kind: 'created' };
    entry.hasStarted = true;
    if (task.status !== Status.STOPPED) return { kind: 'running', pid: task.pid };
    const ended = { status: task.exitStatus, atMs: task.exitedAt?.getTime() ?? clock.nowMs() };
    return { kind: 'exited', exit: await exitOf(context, ended, entry) };
  };

  /** Never started, or lost by containerd: then the kernel knows whether it still runs. */
  const stateWithoutTask = async ({ id, containerId }: RecordedInstance): Promise<InstanceState> => {
    if (!(await markers.isMarked(containerId))) return { kind: 'created' };
    const { mounts } = await context.cgroups();
    const [pid] = await readCgroupProcesses(mounts, context.cgroupPathOf(containerId));
    if (pid !== undefined) return { kind: 'running', pid };
    const entry = memory.of(id);
    entry.exit ??= lostExit(clock.nowMs());
    return { kind: 'exited', exit: entry.exit };
  };

  return {
    async list() {
      const [{ containers }, processes] = await Promise.all([
        connection.unary(ContainersDefinition, 'list', { filters: [] }),
        tasks.list(),
      ]);
      const taskOf = new Map(processes.map((task) => [task.id, task]));
      return await Promise.all(
        containers.map(async (container) => {
          const record = readRecord(container);
          const state = await stateOf(record, taskOf.get(container.id));
          return { id: record.id, labels: record.labels, state };
        }),
      );
    },
    async relabel(id, labels) {
      const record = await findRecord(context, containerIdOf(id));
      if (record === undefined) throw instanceNotFound(id);
      await writeLabels(context, record.containerId, containerLabels({ ...record, labels }));
    },
    async stats(id) {
      const containerId = containerIdOf(id);
      const { mounts } = await context.cgroups();
      const usage = await readCgroupUsage(mounts, context.cgroupPathOf(containerId));
      if (usage === undefined) return undefined;
      const record = memory.find(id)?.record ?? (await findRecord(context, containerId));
      return { ...usage, diskBytes: record === undefined ? 0 : await diskUsage.bytesOf(record) };
    },
  };
}
