import { resolve } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { type Clock, type Logger, type Random, randomHex } from '@oakestra/daemon';
import type { Kysely } from 'kysely';
import { kyselyOver, type StatementPort } from './dialect.ts';
import {
  assign,
  createMetaTable,
  fileIdentity,
  type MetaSchema,
  metaKey,
  metaTable,
  planIncarnation,
  readFacts,
} from './incarnation.ts';
import { type Migrations, migrate } from './migrations.ts';
import { compileStatement, type Statement } from './statement.ts';
import type { CommitOptions, Store, StoreCapabilities, StoreMeta } from './store.ts';
import { createThreadClient, type ThreadClient } from './thread-client.ts';
import { createTransactionRunner, type TransactionRunner } from './transaction.ts';

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

function createMeta(db: Kysely<MetaSchema>, commit: Store<unknown>['commit']): StoreMeta {
  function assignment(key: string, value: string): Statement {
    if (key.startsWith('store.')) {
      throw new OakestraError(
        'invalid',
        'store-meta-reserved',
        `The key ${key} is reserved: choose another prefix.`,
      );
    }
    return assign(db, key, value);
  }
  return {
    async get(key) {
      const row = await db.selectFrom(metaTable).select('value').where('key', '=', key).executeTakeFirst();
      return row?.value;
    },
    set: (key, value, options) =>
      commit([assignment(key, value)], { durability: options?.durability ?? 'full' }),
    assignment,
  };
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
async function prepare({ options, path, transactions, metaDb, commit }: OpenParts): Promise<string> {
  const { migrations, logger, random } = options;
  let facts = await readFacts(metaDb);
  const { unknown } = await migrate({
    db: transactions.migrationDb<unknown>('deferred'),
    migrations,
    path,
    logger,
    compatibleFrom: facts?.get(metaKey.compatibleFrom),
  });
  const statements: Statement[] = [];
  if (facts === undefined) {
    statements.push(createMetaTable(metaDb));
    facts = new Map();
  }
  const compatibleFrom = options.compatibleFrom ?? Object.keys(migrations).sort().at(-1);
  const isChanged = compatibleFrom !== facts.get(metaKey.compatibleFrom);
  // Only the newest program that used the store knows who else may.
  if (compatibleFrom !== undefined && isChanged && unknown.length === 0) {
    statements.push(assign(metaDb, metaKey.compatibleFrom, compatibleFrom));
  }
  const plan = planIncarnation({ db: metaDb, facts, file: await fileIdentity(path), random, logger });
  statements.push(...plan.statements);
  if (statements.length > 0) {
    await commit(statements, { durability: 'full' });
  }
  return plan.incarnation;
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
