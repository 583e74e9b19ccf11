import { resolve } from 'node:path';
import { type Clock, type Logger, type Random, randomHex } from '@oakestra/daemon';
import { type Kysely, sql } from 'kysely';
import { completeFacts } from './complete-facts.ts';
import { kyselyOver, type StatementPort } from './dialect.ts';
import { assign, createMetaTable, fileIdentity, type MetaSchema, metaKey, readFacts } from './incarnation.ts';
import { type Migrations, migrate } from './migrations.ts';
import { compileStatement, type Statement } from './statement.ts';
import type { CommitOptions, Store, StoreCapabilities } from './store.ts';
import { createMeta } from './store-meta.ts';
import { createThreadClient, type ThreadClient } from './thread-client.ts';
import { createTransactionRunner, type TransactionRunner } from './transaction.ts';
import { keepUpgradeBackup } from './upgrade-backup.ts';

const defaultBusyTimeoutMs = 2_000;
const capabilities: StoreCapabilities = { sharedByProcesses: false, fileBackup: true };

export interface SqliteStoreOptions {
  /** The database file. It is created with mode 0600, missing folders above it with 0700. */
  readonly path: string;
  readonly migrations: Migrations;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Name of the oldest migration that a program must know to read and write this schema: programs from there on
   * may open the store after this one. Default: the newest, so that every older program is refused.
   */
  readonly compatibleFrom?: string;
  /** How long opening waits for a process that still has the store open. Default 2,000. */
  readonly busyTimeoutMs?: number;
  /** Fault injection for tests: every sync blocks the thread this much longer. Default 0. */
  readonly syncDelayMs?: number;
}

interface OpenParts {
  readonly options: SqliteStoreOptions;
  readonly path: string;
  readonly thread: ThreadClient;
  readonly transactions: TransactionRunner;
  readonly metaDb: Kysely<MetaSchema>;
  readonly commit: Store<unknown>['commit'];
}

/** Checks and completes what is on the disk; returns the incarnation. Writes nothing when nothing changes. */
async function prepare({ options, path, thread, transactions, metaDb, commit }: OpenParts): Promise<string> {
  const { migrations, logger, random, clock } = options;
  const facts = await readFacts(metaDb);
  const plan = await migrate({
    db: transactions.migrationDb<unknown>('deferred'),
    migrations,
    path,
    logger,
    compatibleFrom: facts?.get(metaKey.compatibleFrom),
    beforeUpgrade: () => keepUpgradeBackup({ path, thread, logger, clock }),
  });
  const { incarnation, statements } = completeFacts({
    db: metaDb,
    facts: facts ?? new Map(),
    migrations,
    plan,
    compatibleFrom: options.compatibleFrom,
    identity: await fileIdentity(path),
    random,
    logger,
  });
  const missing = facts === undefined ? [createMetaTable(metaDb)] : [];
  if (missing.length + statements.length > 0) {
    await commit([...missing, ...statements], { durability: 'full' });
  }
  return incarnation;
}

/**
 * Opens the store at `path`, creates it where it is missing, and brings its schema up to date. SQLite runs in a
 * thread of its own. Fails with `store-in-use` while another process has it open, `store-newer-than-program`
 * after a downgrade, `store-damaged` when the file is not a sound database.
 */
export async function openSqliteStore<Schema>(options: SqliteStoreOptions): Promise<Store<Schema>> {
  const { logger, clock, random } = options;
  const path = resolve(options.path);
  const thread = createThreadClient({
    settings: {
      path,
      busyTimeoutMs: options.busyTimeoutMs ?? defaultBusyTimeoutMs,
      syncDelayMs: options.syncDelayMs ?? 0,
    },
    logger,
    clock,
  });
  const transactions = createTransactionRunner(thread, clock);
  const readPort: StatementPort = { run: (statement) => thread.request({ kind: 'read', statement }) };
  const metaDb = kyselyOver<MetaSchema>(readPort);

  async function commit(statements: readonly Statement[], { durability }: CommitOptions): Promise<void> {
    const compiled = statements.map(compileStatement);
    if (compiled.length > 0) {
      await thread.request({ kind: 'commit', statements: compiled, durability });
    }
  }

  let incarnation: string;
  try {
    incarnation = await prepare({ options, path, thread, transactions, metaDb, commit });
  } catch (error) {
    await thread.close().catch(() => {});
    throw error;
  }

  return {
    db: kyselyOver<Schema>(readPort),
    capabilities,
    get incarnation() {
      return incarnation;
    },
    meta: createMeta(metaDb, commit),
    nowMs: sql<number>`cast((julianday('now') - 2440587.5) * 86400000 as integer)`,
    get statistics() {
      return thread.statistics;
    },
    commit,
    transaction: (work, transactionOptions) => transactions.run(work, transactionOptions),
    async mintIncarnation() {
      const minted = randomHex(random, 16);
      await commit([assign(metaDb, metaKey.incarnation, minted)], { durability: 'full' });
      incarnation = minted;
      return minted;
    },
    async backupTo(target) {
      const mark = new Date(clock.nowMs()).toISOString();
      await thread.request({ kind: 'backup', path: resolve(target), mark });
    },
    close: () => thread.close(),
  };
}
