import { type Clock, type Random, sleep } from '@oakestra/daemon';
import type { Kysely } from 'kysely';
import { kyselyOver } from './dialect.ts';
import { beginStatements, commitSession, pauseMs } from './postgres-commit.ts';
import { isContention } from './postgres-failure.ts';
import { postgresFlavour } from './postgres-flavour.ts';
import type { PostgresPool, PostgresSession } from './postgres-pool.ts';
import { StoreFault } from './sqlite-failure.ts';
import type { TransactionOptions } from './store.ts';
import type { StatementResult, WireStatement } from './thread-protocol.ts';
import { defaultTransactionTimeoutMs, withTransactionDeadline } from './transaction-deadline.ts';

const plain = (sql: string): WireStatement => ({ sql, parameters: [] });
const savepoint = plain('SAVEPOINT statement');
const release = plain('RELEASE SAVEPOINT statement');
/** What is idle for longer than the deadline is undone by us, unless we are gone. */
const undoMs = 1_000;
const undo = plain('ROLLBACK TO SAVEPOINT statement');

/** The statements of one transaction, one after another; a failing one leaves the transaction usable. */
interface OpenTransaction {
  run(statement: WireStatement): Promise<StatementResult>;
  /** Takes no more statements. */
  end(): void;
  /** Others were in the way: however it ends, nothing of it will be applied. */
  readonly contention: unknown;
}

function openTransaction(pool: PostgresPool, session: PostgresSession): OpenTransaction {
  let isEnded = false;
  let contention: unknown;
  let last: Promise<unknown> = Promise.resolve();

  async function runNow(statement: WireStatement): Promise<StatementResult> {
    if (isEnded) {
      throw pool.failure(new StoreFault('session', 'the transaction has ended'), { purpose: 'write' });
    }
    const { results, error } = await session.run([savepoint, statement, release]);
    if (error === undefined && results[1] !== undefined) {
      return results[1];
    }
    await session.run([undo, release]);
    const failure = pool.failure(error, { purpose: 'write', sql: statement.sql });
    if (isContention(failure)) {
      contention = failure;
    }
    throw failure;
  }

  return {
    run(statement) {
      const result = last.then(() => runNow(statement));
      last = result.catch(() => {});
      return result;
    },
    end() {
      isEnded = true;
    },
    get contention() {
      return contention;
    },
  };
}

export interface PostgresTransactionsOptions {
  readonly pool: PostgresPool;
  readonly clock: Clock;
  readonly random: Random;
}

/** Transactions over several trips. The caller keeps other changes of this process waiting meanwhile. */
export function createPostgresTransactions({ pool, clock, random }: PostgresTransactionsOptions) {
  async function runOnce<Schema, T>(
    work: (tx: Kysely<Schema>) => Promise<T>,
    timeoutMs: number,
    durability: 'full' | 'normal',
  ): Promise<T> {
    const session = await pool.session('write');
    try {
      const limitMs = Math.max(1, Math.ceil(timeoutMs));
      const { error } = await session.run([
        ...beginStatements(durability),
        plain(`SET LOCAL statement_timeout = ${limitMs}`),
        plain(`SET LOCAL idle_in_transaction_session_timeout = ${limitMs + undoMs}`),
      ]);
      if (error !== undefined) {
        throw pool.failure(error, { purpose: 'write' });
      }
      const transaction = openTransaction(pool, session);
      try {
        const tx = kyselyOver<Schema>({ run: transaction.run }, postgresFlavour);
        const result = await withTransactionDeadline(clock, work(tx), timeoutMs);
        transaction.end();
        if (transaction.contention !== undefined) {
          throw transaction.contention;
        }
        await commitSession(pool, session);
        return result;
      } catch (thrown) {
        transaction.end();
        // The reason of the failure counts. A connection that is busy is closed, which undoes too.
        await session.undo();
        throw transaction.contention ?? thrown;
      }
    } finally {
      session.release();
    }
  }

  return {
    async run<Schema, T>(
      work: (tx: Kysely<Schema>) => Promise<T>,
      options: TransactionOptions = {},
    ): Promise<T> {
      const timeoutMs = options.timeoutMs ?? defaultTransactionTimeoutMs;
      const endMs = clock.monotonicMs() + timeoutMs;
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await runOnce(work, endMs - clock.monotonicMs(), options.durability ?? 'full');
        } catch (error) {
          const pause = pauseMs(attempt, random);
          if (!isContention(error) || clock.monotonicMs() + pause >= endMs) {
            throw error;
          }
          await sleep(clock, pause);
        }
      }
    },
  };
}
