import type { Clock } from '@oakestra/daemon';
import { snapshotKeyOf } from './container-id.ts';
import type { ContainerdConnection } from './containerd-connection.ts';
import { SnapshotsDefinition } from './gen/containerd/snapshots.gen.ts';

/** Bytes of writable layers. containerd counts them by walking the files, so an answer is kept for a minute. */
export interface DiskUsage {
  bytesOf(containerId: string, snapshotter: string): Promise<number>;
  forget(containerId: string): void;
}

const keptMs = 60_000;

export function createDiskUsage(connection: ContainerdConnection, clock: Clock): DiskUsage {
  const measured = new Map<string, { readonly atMs: number; readonly bytes: Promise<number> }>();
  return {
    bytesOf(containerId, snapshotter) {
      const last = measured.get(containerId);
      const nowMs = clock.monotonicMs();
      if (last !== undefined && nowMs - last.atMs < keptMs) return last.bytes;
      const bytes = connection
        .unary(SnapshotsDefinition, 'usage', { snapshotter, key: snapshotKeyOf(containerId) })
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
