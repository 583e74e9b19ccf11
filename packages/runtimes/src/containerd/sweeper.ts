import { randomUUID } from 'node:crypto';
import { messageOf } from '@oakestra/contracts';
import type { CancelTimer, Clock, Logger } from '@oakestra/daemon';
import type { ContainerdConnection } from './containerd-connection.ts';
import { LeasesDefinition } from './gen/containerd/leases.gen.ts';

/**
 * Gives the disk space of removed snapshots back. containerd deletes their files only when it collects garbage,
 * and by itself it does so after a hundred changes: on a quiet worker that may be never.
 */
export interface Sweeper {
  /** Something was removed: sweep once it has become quiet. */
  request(): void;
  close(): void;
}

const quietMs = 3_000;
const leaseLifetimeMs = 60_000;
const sweepTimeoutMs = 120_000;

export function createSweeper(connection: ContainerdConnection, clock: Clock, logger: Logger): Sweeper {
  let cancel: CancelTimer | undefined;
  let isClosed = false;
  const sweep = async (): Promise<void> => {
    // Deleting a lease synchronously is the one way to ask for a collection.
    const id = `oakestra-sweep-${randomUUID()}`;
    const expires = new Date(clock.nowMs() + leaseLifetimeMs).toISOString();
    await connection.unary(LeasesDefinition, 'create', {
      id,
      labels: { 'containerd.io/gc.expire': expires },
    });
    await connection.unary(LeasesDefinition, 'delete', { id, sync: true }, { timeoutMs: sweepTimeoutMs });
  };
  return {
    request() {
      if (isClosed) return;
      cancel?.();
      cancel = clock.setTimer(quietMs, () => {
        sweep().catch((error: unknown) => {
          if (!isClosed) logger.debug('containerd collects its garbage later', { reason: messageOf(error) });
        });
      });
    },
    close() {
      isClosed = true;
      cancel?.();
    },
  };
}
