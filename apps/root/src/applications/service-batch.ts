import { OakestraError } from '@oakestra/contracts';
import type { Deployments } from '../deployments/index.ts';
import type { SubmittedService } from './applications.ts';

/** Several services at once. Side by side, so that their writes share a sync. */
export interface ServiceBatch {
  /** Rejects with the first failure, after all of them ended. */
  register(services: readonly SubmittedService[], ownerUserId: string): Promise<void>;
  /** Removes those that exist. Rejects with the first failure, after all of them ended. */
  remove(ids: readonly string[]): Promise<void>;
  /** Those that exist, in the given order. */
  living(ids: readonly string[]): string[];
}

export function createServiceBatch(deployments: Deployments): ServiceBatch {
  const living = (ids: readonly string[]) => ids.filter((id) => deployments.service(id) !== undefined);
  return {
    living,
    async register(services, ownerUserId) {
      await all(
        services.map(({ id, document }) => deployments.registerService({ id, ownerUserId, document })),
      );
    },
    async remove(ids) {
      await all(living(ids).map((id) => deployments.removeService(id).catch(ignoreNotFound)));
    },
  };
}

async function all(work: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof OakestraError) || error.kind !== 'not-found') throw error;
}
