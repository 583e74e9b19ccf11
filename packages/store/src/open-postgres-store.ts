import { OakestraError, type Sensitive } from '@oakestra/contracts';
import { type CancelTimer, type Clock, type Logger, type Random, randomHex } from '@oakestra/daemon';
import { type Kysely, sql } from 'kysely';
import { kyselyOver, type StatementPort } from './dialect.ts';
import { createHealthLog } from './health-log.ts';
import { assign, type MetaSchema, metaKey } from './incarnation.ts';
import type { Migrations } from './migrations.ts';
import { createPostgresCommitter } from './postgres-commit.ts';
import { postgresFlavour } from './postgres-flavour.ts';
import { createPostgresPool, type PostgresPool } from './postgres-pool.ts';
import { preparePostgres } from './postgres-prepare.ts';
import { createPostgresTransactions } from './postgres-transaction.ts';
import { compileStatement, type Statement } from './statement.ts';
import type { CommitOptions, Store, StoreCapabilities } from './store.ts';
import { closedError } from './store-error.ts';
import { createMeta } from './store-meta.ts';
import type { Batch, StatementResult, WireStatement } from './thread-protocol.ts';
import { createWriteQueue } from './write-queue.ts';

const capabilities: StoreCapabilities = { sharedByProcesses: true, fileBackup: false };
const closeDeadlineMs = 60_000;
/** More than any statement may take. */
const defaultReplyTimeoutMs = 15_000;

export interface PostgresStoreOptions {
  /** `postgresql://user:password@host:port/database`, with the options that libpq knows, such as `sslmode`. */
  readonly url: Sensitive;
  readonly migrations: Migrations;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** See the option of the same name of the embedded store. */
  readonly compatibleFrom?: string;
  /** A server that does not answer for so long is given up, and the connection with it. Default 15,000. */
  readonly replyTimeoutMs?: number;
}

/** Reads one statement; once more where the connection turned out to be dead. */
async function readOnce(pool: PostgresPool, statement: WireStatement): Promise<StatementResult> {
  const session = await pool.session('read');
  try {
    const { results, error } = await session.run([statement]);
    if (error !== undefined || results[0] === undefined) {
      throw pool.failure(error, { purpose: 'read', sql: statement.sql });
    }
    return results[0];
  } finally {
    session.release();
  }
}

function isLost(error: unknown): boolean {
  return error instanceof OakestraError && error.code === 'store-connection-lost';
}

/**
 * Opens a store on PostgreSQL, which several processes may have open, and brings its schema up to date, one opener
 * at a time. Fails with `store-cannot-open` (server, user, password, database), `store-newer-than-program`,
 * `store-not-permitted`. No message and no log line contains the password of the URL.
 */
export async function openPostgresStore<Schema>(options: PostgresStoreOptions): Promise<Store<Schema>> {
  const { url, migrations, logger, clock, random } = options;
  const pool = createPostgresPool({
    url,
    logger,
    clock,
    replyTimeoutMs: options.replyTimeoutMs ?? defaultReplyTimeoutMs,
  });
  const { store } = pool;
  const health = createHealthLog(logger, { store });
  const counts = { batches: 0, groups: 0, syncs: 0 };
  const committer = createPostgresCommitter({ pool, clock, random });
  const transactions = createPostgresTransactions({ pool, clock, random });
  const queue = createWriteQueue({ store, applyGroup });
  let closing: Promise<void> | undefined;

  async function applyGroup(batches: readonly Batch[]): Promise<readonly (OakestraError | undefined)[]> {
    const failures = await committer.applyGroup(batches);
    counts.batches += batches.length;
    counts.groups += 1;
    counts.syncs += batches.some(({ durability }) => durability === 'full') ? 1 : 0;
    for (const failure of failures) {
      health.note(failure);
    }
    return failures;
  }

  function requireOpen(): void {
    if (closing !== undefined) {
      throw closedError(store);
    }
  }

  async function read(statement: WireStatement): Promise<StatementResult> {
    requireOpen();
    await queue.settled();
    try {
      return await readOnce(pool, statement);
    } catch (error) {
      if (!isLost(error)) {
        throw error;
      }
      return await readOnce(pool, statement);
    }
  }

  async function commit(statements: readonly Statement[], { durability }: CommitOptions): Promise<void> {
    requireOpen();
    const compiled = statements.map(compileStatement);
    if (compiled.length > 0) {
      await queue.commit({ statements: compiled, durability });
    }
  }

  async function shutDown(): Promise<void> {
    let cancel: CancelTimer = () => {};
    const overdue = new Promise<'overdue'>((resolve) => {
      cancel = clock.setTimer(closeDeadlineMs, () => resolve('overdue'));
    });
    const closed = queue.drained().then(() => pool.close());
    try {
      if ((await Promise.race([closed, overdue])) === 'overdue') {
        logger.error('the store did not close in time', { store, closeDeadlineMs });
      }
    } finally {
      cancel();
    }
  }

  let incarnation: string;
  try {
    const { compatibleFrom } = options;
    incarnation = await preparePostgres({ pool, migrations, compatibleFrom, logger, random });
  } catch (error) {
    await pool.close();
    throw error;
  }
  const port: StatementPort = { run: read };
  const metaDb: Kysely<MetaSchema> = kyselyOver(port, postgresFlavour);

  return {
    db: kyselyOver<Schema>(port, postgresFlavour),
    capabilities,
    nowMs: sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`,
    get incarnation() {
      return incarnation;
    },
    meta: createMeta(metaDb, commit),
    get statistics() {
      return { ...counts };
    },
    commit,
    async transaction(work, transactionOptions) {
      requireOpen();
      return await queue.alone(() => transactions.run(work, transactionOptions));
    },
    async mintIncarnation() {
      const minted = randomHex(random, 16);
      await commit([assign(metaDb, metaKey.incarnation, minted)], { durability: 'full' });
      incarnation = minted;
      return minted;
    },
    async backupTo() {
      throw new OakestraError(
        'unsupported',
        'store-unsupported',
        `The store ${store} writes no backup files: use pg_dump, or what your database offers.`,
      );
    },
    close() {
      closing ??= shutDown();
      return closing;
    },
  };
}
