import type { Logger, Random } from '@oakestra/daemon';
import type { Kysely } from 'kysely';
import { completeFacts } from './complete-facts.ts';
import { kyselyOver } from './dialect.ts';
import { createMetaTable, type MetaSchema, metaKey, metaTable, readFacts } from './incarnation.ts';
import { type Migrations, migrate } from './migrations.ts';
import { commitSession } from './postgres-commit.ts';
import { postgresFlavour } from './postgres-flavour.ts';
import { databaseIdentity } from './postgres-identity.ts';
import type { PostgresPool, PostgresSession } from './postgres-pool.ts';
import { compileStatement, type Statement } from './statement.ts';
import type { StatementResult, WireStatement } from './thread-protocol.ts';

/** Another opener may be changing a large schema. */
const migrationLockTimeoutMs = 300_000;
/** Migrations may compute for a while. */
const idleTimeoutMs = 60_000;

export interface PreparePostgresOptions {
  readonly pool: PostgresPool;
  readonly migrations: Migrations;
  readonly compatibleFrom: string | undefined;
  readonly logger: Logger;
  readonly random: Random;
}

async function createMetaTableOnce(db: Kysely<MetaSchema>, run: (statement: Statement) => Promise<unknown>) {
  if ((await readFacts(db)) !== undefined) {
    return;
  }
  try {
    await run(createMetaTable(db));
  } catch (error) {
    // Another opener was faster.
    if ((await readFacts(db)) === undefined) {
      throw error;
    }
  }
}

/** Brings schema and facts up to date in one transaction; returns the incarnation. */
export async function preparePostgres(options: PreparePostgresOptions): Promise<string> {
  const { pool } = options;
  const session = await pool.session('write');
  try {
    return await prepareIn(session, options);
  } catch (error) {
    await session.undo();
    throw error;
  } finally {
    session.release();
  }
}

async function prepareIn(session: PostgresSession, options: PreparePostgresOptions): Promise<string> {
  const { pool, migrations, compatibleFrom, logger, random } = options;

  async function runWire(statement: WireStatement): Promise<StatementResult> {
    const { results, error } = await session.run([statement], { isUnlimited: true });
    if (error !== undefined || results[0] === undefined) {
      throw pool.failure(error, { purpose: 'write', sql: statement.sql });
    }
    return results[0];
  }
  const runSql = (sql: string) => runWire({ sql, parameters: [] });
  const run = (statement: Statement) => runWire(compileStatement(statement));
  const db = kyselyOver<MetaSchema>({ run: runWire }, postgresFlavour);

  await createMetaTableOnce(db, run);
  const identity = await databaseIdentity(db);
  await runSql('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  await runSql('SET LOCAL statement_timeout = 0');
  await runSql(`SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs}`);
  await runSql(`SET LOCAL lock_timeout = ${migrationLockTimeoutMs}`);
  await lockMetaTable(db, run);
  const facts = (await readFacts(db)) ?? new Map();
  const plan = await migrate({
    db: db as unknown as Kysely<unknown>,
    migrations,
    path: pool.store,
    logger,
    compatibleFrom: facts.get(metaKey.compatibleFrom),
    isInTransaction: true,
    async beforeUpgrade(pending) {
      logger.warn(
        'the schema of the store changes; the way back is a backup of the database made with its own tools',
        { store: pool.store, pending },
      );
    },
  });
  const completed = completeFacts({ db, facts, migrations, plan, compatibleFrom, identity, random, logger });
  for (const statement of completed.statements) {
    await run(statement);
  }
  await commitSession(pool, session);
  return completed.incarnation;
}

/** Keeps other openers waiting until the transaction ends: a locked row, which every server has, also when we die. */
async function lockMetaTable(db: Kysely<MetaSchema>, run: (statement: Statement) => Promise<unknown>) {
  const row = { key: metaKey.lock, value: '' };
  await run(
    db
      .insertInto(metaTable)
      .values(row)
      .onConflict((conflict) => conflict.doNothing()),
  );
  await run(db.selectFrom(metaTable).select('key').where('key', '=', metaKey.lock).forUpdate());
}
