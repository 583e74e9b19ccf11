import { OakestraError } from '@oakestra/contracts';
import type { CompiledQuery, Kysely } from 'kysely';
import type { Lease } from './lease.ts';
import type { Store } from './store.ts';

/**
 * The store as a leader of one term uses it: every change fails (`unavailable`, `leadership-lost`) once the lease is
 * no longer held under the fencing number of that term, also when the database hears of it late. Reads pass.
 */
export function fencedStore<Schema>(
  store: Store<Schema>,
  lease: Pick<Lease, 'fencing' | 'fencingNumber' | 'confirm'>,
  fencingNumber: number,
): Store<Schema> {
  const isHeld = (): boolean => lease.fencingNumber === fencingNumber;

  const explained = async (error: unknown): Promise<unknown> => {
    const isRefused = error instanceof OakestraError && error.code === 'store-expectation';
    // Which of the statements it was nobody says.
    if (isRefused && isHeld()) await lease.confirm().catch(() => {});
    return isHeld() ? error : leadershipLost(error);
  };

  // The whole way to the store's own commit is synchronous: batches keep the order of their calls.
  const commit: Store<Schema>['commit'] = async (statements, options) => {
    if (!isHeld()) throw leadershipLost();
    try {
      await store.commit([lease.fencing(), ...statements], options);
    } catch (error) {
      throw await explained(error);
    }
  };

  return {
    ...store,
    // What is a getter in the store stays one.
    get incarnation() {
      return store.incarnation;
    },
    get statistics() {
      return store.statistics;
    },
    commit,
    meta: {
      ...store.meta,
      set: (key, value, options) =>
        commit([store.meta.assignment(key, value)], { durability: 'full', ...options }),
    },
    async transaction(work, options) {
      if (!isHeld()) throw leadershipLost();
      try {
        return await store.transaction(async (tx) => {
          await requireLease(tx, lease.fencing());
          return work(tx);
        }, options);
      } catch (error) {
        throw await explained(error);
      }
    },
  };
}

async function requireLease<Schema>(tx: Kysely<Schema>, fencing: ReturnType<Lease['fencing']>) {
  const { query, expectedChanges } = fencing;
  const compiled: CompiledQuery = 'sql' in query ? query : query.compile();
  const { numAffectedRows } = await tx.executeQuery(compiled);
  if (Number(numAffectedRows) !== expectedChanges) throw leadershipLost();
}

function leadershipLost(cause?: unknown): OakestraError {
  return new OakestraError(
    'unavailable',
    'leadership-lost',
    'This process leads no more, so it may not change this. Ask again: another one leads, or will in a moment.',
    { cause },
  );
}
