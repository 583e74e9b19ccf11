import type { Clock } from '@oakestra/daemon';
import type { Kysely } from 'kysely';
import { kyselyOver } from './dialect.ts';
import type { TransactionOptions } from './store.ts';
import type { ThreadClient } from './thread-client.ts';
import type { References } from './thread-protocol.ts';
import { defaultTransactionTimeoutMs, withTransactionDeadline } from './transaction-deadline.ts';

export interface TransactionRunner {
  run<Schema, T>(work: (tx: Kysely<Schema>) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** A Kysely that starts transactions of its own; for migrations, before the store is handed out. */
  migrationDb<Schema>(references: References): Kysely<Schema>;
}

/** Transactions over several trips to the thread. The thread keeps everything else waiting meanwhile. */
export function createTransactionRunner(thread: ThreadClient, clock: Clock): TransactionRunner {
  let nextSession = 1;

  return {
    async run<Schema, T>(work: (tx: Kysely<Schema>) => Promise<T>, options: TransactionOptions = {}) {
      const session = nextSession;
      nextSession += 1;
      const tx = kyselyOver<Schema>({
        run: (statement) => thread.request({ kind: 'execute', session, statement }),
      });
      const durability = options.durability ?? 'full';
      await thread.request({ kind: 'begin', session, durability, references: 'enforced' });
      let result: T;
      try {
        result = await withTransactionDeadline(
          clock,
          work(tx),
          options.timeoutMs ?? defaultTransactionTimeoutMs,
        );
      } catch (error) {
        // The reason of the failure counts; that undoing fails too only says that it was undone already.
        await thread.request({ kind: 'end', session, outcome: 'rollback' }).catch(() => {});
        throw error;
      }
      await thread.request({ kind: 'end', session, outcome: 'commit' });
      return result;
    },
    migrationDb<Schema>(references: References) {
      let session: number | undefined;
      return kyselyOver<Schema>({
        run: (statement) =>
          thread.request({ kind: 'execute', statement, ...(session === undefined ? {} : { session }) }),
        transactions: {
          async begin() {
            const begun = nextSession;
            nextSession += 1;
            await thread.request({ kind: 'begin', session: begun, durability: 'full', references });
            session = begun;
          },
          async end(outcome) {
            const ended = session;
            session = undefined;
            if (ended !== undefined) {
              await thread.request({ kind: 'end', session: ended, outcome });
            }
          },
        },
      });
    },
  };
}
