import { Sensitive } from '@oakestra/contracts';
import type { Clock, Logger, Random } from '@oakestra/daemon';
import { createSealer } from '@oakestra/pki';
import type { Store } from '@oakestra/store';
import type { AuditJournal } from '../audit/index.ts';
import { openSealedObjects, type SealedObjects, type SealedObjectsSchema } from '../sealed-objects/index.ts';

/** Secrets and configs under a key that everybody knows. */
export function openTestSealedObjects(parts: {
  readonly store: unknown;
  readonly audit: Pick<AuditJournal, 'entry'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly deployments?: { services(): ReturnType<Parameters<typeof openSealedObjects>[0]['services']> };
}): Promise<SealedObjects> {
  const { deployments, ...rest } = parts;
  return openSealedObjects({
    ...rest,
    store: parts.store as Store<SealedObjectsSchema>,
    sealer: createSealer([new Sensitive<Uint8Array>(Buffer.alloc(32, 7))]),
    isShared: async () => true,
    services: () => deployments?.services() ?? [],
  });
}
