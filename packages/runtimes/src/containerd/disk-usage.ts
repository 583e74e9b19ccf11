import type { Clock } from '@oakestra/daemon';
import type { RecordedInstance } from './container-record.ts';
import type { ContainerdConnection } from './containerd-connection.ts';
import { SnapshotsDefinition } from './gen/containerd/snapshots.gen.ts';

/** Bytes of writable layers. containerd counts them by walking the files, so an answer is kept for a minute. */
export interface DiskUsage {
  bytesOf(record: RecordedInstance): Promise<number>;
  forget(containerId: string): void;
}

const keptMs = 60_000;

export function createDiskUsage(connection: ContainerdConnection, clock: Clock): DiskUsage {
  const measured = new Map<string, { readonly atMs: number; readonly bytes: Promise<number> }>();
  return {
    bytesOf({ containerId, snapshotter, snapshotKey }) {
      const last = measured.get(containerId);
      const nowMs = clock.monotonicMs();
      if (last !== undefined && nowMs - last.atMs < keptMs) return last.bytes;
      const bytes = connection
        .unary(SnapshotsDefinition, 'usage', { snapshotter, key: snapshotKey })
        .then(({ size }) => size)
        .catch(async () => (await last?.bytes) ?? 0);
      measured.set(containerId, { atMs: nowMs, bytes });
      return bytes;
    },
    forget(containerId) {
      measured.delete(containerId);
    },
  };
}
