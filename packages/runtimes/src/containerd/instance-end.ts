import { sleep } from '@oakestra/daemon';
import { instanceNotFound, instanceNotRunning, instanceStillRunning } from '../runtime-errors.ts';
import { signalNumber } from '../signals.ts';
import { readCgroupProcesses, removeCgroup } from './cgroup-stats.ts';
import { containerIdOf, snapshotKeyOf } from './container-id.ts';
import { isContainerdNotFound } from './containerd-connection.ts';
import type { DiskUsage } from './disk-usage.ts';
import { ContainersDefinition } from './gen/containerd/containers.gen.ts';
import { SnapshotsDefinition } from './gen/containerd/snapshots.gen.ts';
import { Status } from './gen/containerd/task-types.gen.ts';
import { findRecord, type RuntimeContext } from './runtime-context.ts';
import { killPatienceMs } from './task-calls.ts';

export interface InstanceEnd {
  signal(id: string, signal: string): Promise<void>;
  stop(id: string, options: { readonly graceMs: number }): Promise<void>;
  remove(id: string): Promise<void>;
}

const killSignal = 9;
const stragglerPauseMs = 50;
const mostCgroupAttempts = 20;

/** The way from a running process to nothing. */
export function createInstanceEnd(context: RuntimeContext, diskUsage: DiskUsage): InstanceEnd {
  const { connection, clock, memory, tasks, markers, step } = context;

  /** The signal that the instance is to be asked with; `undefined` when there is nothing to end. */
  const stopSignalOf = async (id: string): Promise<number | undefined> => {
    const known = memory.find(id);
    if (known?.exit !== undefined) return undefined;
    if (known?.hasStarted && known.record !== undefined) return signalNumber(known.record.stopSignal);
    const process = await tasks.get(containerIdOf(id));
    if (process === undefined || process.status === Status.STOPPED) return undefined;
    // The program does not run yet, so there is nobody to ask.
    if (process.status === Status.CREATED) return killSignal;
    const record = await findRecord(context, containerIdOf(id));
    return signalNumber(record?.stopSignal ?? 'SIGTERM');
  };

  const end = async (id: string, graceMs: number): Promise<void> => {
    const containerId = containerIdOf(id);
    const stopSignal = await stopSignalOf(id);
    if (stopSignal === undefined) return;
    if (stopSignal !== killSignal && graceMs > 0) {
      if (!(await tasks.kill(containerId, stopSignal))) return;
      if (await tasks.waitForEnd(containerId, graceMs)) return;
    }
    if (!(await tasks.kill(containerId, killSignal))) return;
    if (!(await tasks.waitForEnd(containerId, killPatienceMs))) {
      throw instanceStillRunning(id, killPatienceMs);
    }
  };

  /** Processes that containerd lost sight of, and the cgroup where runc left it. */
  const removeProcesses = async (containerId: string): Promise<void> => {
    const { mounts } = await context.cgroups();
    const path = context.cgroupPathOf(containerId);
    for (let attempt = 1; ; attempt += 1) {
      for (const pid of await readCgroupProcesses(mounts, path)) killProcess(pid);
      try {
        await removeCgroup(mounts, path);
        return;
      } catch (error) {
        if (attempt >= mostCgroupAttempts) throw error;
        await sleep(clock, stragglerPauseMs);
      }
    }
  };

  const removeSnapshot = async (snapshotter: string, key: string): Promise<void> => {
    await connection.unary(SnapshotsDefinition, 'remove', { snapshotter, key }).catch(unlessGone);
  };

  const removeContainer = async (containerId: string): Promise<void> => {
    await connection.unary(ContainersDefinition, 'delete', { id: containerId }).catch(unlessGone);
  };

  return {
    async signal(id, signal) {
      const number = signalNumber(signal);
      if (await tasks.kill(containerIdOf(id), number)) return;
      const record = await findRecord(context, containerIdOf(id));
      throw record === undefined ? instanceNotFound(id) : instanceNotRunning(id);
    },
    async stop(id, { graceMs }) {
      const known = memory.find(id);
      if (known !== undefined) known.isStopping = true;
      await end(id, graceMs);
    },
    async remove(id) {
      const containerId = containerIdOf(id);
      const known = memory.find(id);
      if (known !== undefined) known.isStopping = true;
      const record = known?.record ?? (await findRecord(context, containerId));
      const snapshotter = record?.snapshotter ?? (await context.snapshotter());
      const snapshotKey = record?.snapshotKey ?? snapshotKeyOf(containerId);
      const hasEnded = known?.exit !== undefined;
      if (!(await step('task-delete', () => tasks.remove(containerId, { hasEnded })))) {
        throw instanceStillRunning(id, killPatienceMs);
      }
      await step('cleanup', async () => {
        // Nothing but the record of the container leads to these: a crash must not leave them without it.
        await Promise.all([removeProcesses(containerId), markers.clear(containerId)]);
        // Whichever of the two a crash leaves is found again: the container by its record, a snapshot without
        // container by containerd's collection.
        await Promise.all([removeSnapshot(snapshotter, snapshotKey), removeContainer(containerId)]);
      });
      memory.forget(id);
      diskUsage.forget(containerId);
    },
  };
}

function unlessGone(error: unknown): void {
  if (!isContainerdNotFound(error)) throw error;
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}
