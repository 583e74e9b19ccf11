import { messageOf, OakestraError } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import { type Kysely, type Migration, Migrator } from 'kysely';

/**
 * The steps of a schema by name. Names sort in the order of their application (`0001-instances`). Portable: types
 * text, integer, bigint, real; SQLite runs them with references unchecked until the end, so no cascades there.
 */
export type Migrations = Readonly<Record<string, Migration>>;

const migrationTable = 'kysely_migration';

interface MigrationSchema {
  readonly [migrationTable]: { readonly name: string };
}

export interface MigrationPlan {
  /** In the program but not in the database, in order. */
  readonly pending: readonly string[];
  /** In the database but not in the program: a newer program wrote it. */
  readonly unknown: readonly string[];
}

/** Compares a program with a database. A step that sorts before an applied one is a mistake of the program. */
function planMigrations(known: readonly string[], applied: readonly string[]): MigrationPlan {
  const pending = known.filter((name) => !applied.includes(name)).sort();
  const unknown = applied.filter((name) => !known.includes(name)).sort();
  const last = [...applied].sort().at(-1);
  const early = pending[0];
  if (unknown.length === 0 && last !== undefined && early !== undefined && early < last) {
    throw new OakestraError(
      'internal',
      'store-migration-order',
      `Migration ${early} sorts before ${last}, which is applied already. New migrations go to the end.`,
    );
  }
  return { pending, unknown };
}

async function appliedMigrations(db: Kysely<MigrationSchema>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === migrationTable)) {
    return [];
  }
  const rows = await db.selectFrom(migrationTable).select('name').execute();
  return rows.map((row) => row.name);
}

export interface MigrateOptions<Schema> {
  /** Must be able to start transactions. */
  readonly db: Kysely<Schema>;
  readonly migrations: Migrations;
  readonly path: string;
  readonly logger: Logger;
  /** The oldest migration that a program must know to use this database; undefined: the newest applied one. */
  readonly compatibleFrom: string | undefined;
  /** Whether `db` is inside of a transaction already. */
  readonly isInTransaction?: boolean;
  /** Before an existing schema changes: what has to be done to be able to go back. */
  readonly beforeUpgrade?: (pending: readonly string[]) => Promise<void>;
}

/**
 * What there is to do. Refuses a database that a newer, incompatible program wrote, and names none where a newer,
 * compatible one did.
 */
export async function planUpgrade(
  options: Omit<MigrateOptions<unknown>, 'isInTransaction' | 'beforeUpgrade'>,
): Promise<MigrationPlan & { readonly isNew: boolean }> {
  const { db, migrations, path, logger, compatibleFrom } = options;
  const known = Object.keys(migrations);
  const applied = await appliedMigrations(db as unknown as Kysely<MigrationSchema>);
  const { pending, unknown } = planMigrations(known, applied);
  const isNew = applied.length === 0;
  if (unknown.length === 0) {
    return { pending, unknown, isNew };
  }
  if (compatibleFrom !== undefined && known.includes(compatibleFrom)) {
    logger.warn('a newer version wrote this store; it says that this version can use it', { path, unknown });
    return { pending: [], unknown, isNew };
  }
  throw new OakestraError(
    'unsupported',
    'store-newer-than-program',
    `The store ${path} was written by a newer version (it has ${unknown.join(', ')}, unknown here). ` +
      'Start that version, or restore a backup from before the upgrade.',
    { details: { path, unknown } },
  );
}

/**
 * Brings the schema up to date, all steps in one transaction; never down. Refuses a database that a newer,
 * incompatible program wrote. Returns what was missing on either side.
 */
export async function migrate<Schema>(options: MigrateOptions<Schema>): Promise<MigrationPlan> {
  const { db, migrations, path, logger } = options;
  const plan = await planUpgrade({ ...options, db: db as unknown as Kysely<unknown> });
  const { pending } = plan;
  if (pending.length === 0) {
    return plan;
  }
  if (!plan.isNew) {
    await options.beforeUpgrade?.(pending);
  }
  const migrator = new Migrator({
    db,
    disableTransactions: options.isInTransaction ?? false,
    provider: { getMigrations: async () => ({ ...migrations }) },
    // Kysely orders by time of application, which a machine without a battery clock gets wrong; checked above.
    allowUnorderedMigrations: true,
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw migrationError(error, path, results?.find((result) => result.status === 'Error')?.migrationName);
  }
  logger.info('brought the schema of the store up to date', { path, applied: pending });
  return plan;
}

function migrationError(cause: unknown, path: string, name: string | undefined): OakestraError {
  const step = name === undefined ? 'A migration' : `Migration ${name}`;
  const isFromStore = cause instanceof OakestraError;
  return new OakestraError(
    isFromStore ? cause.kind : 'internal',
    isFromStore && cause.kind !== 'internal' ? cause.code : 'store-migration-failed',
    `${step} of the store ${path} failed and nothing of it was applied: ${messageOf(cause)}`,
    { cause, details: { path, ...(name === undefined ? {} : { migration: name }) } },
  );
}
