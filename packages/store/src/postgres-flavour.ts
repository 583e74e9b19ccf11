import {
  type ColumnDefinitionNode,
  DataTypeNode,
  type Kysely,
  type OperationNode,
  PostgresAdapter,
  PostgresQueryCompiler,
  RawNode,
  sql,
  type TableMetadata,
} from 'kysely';
import type { SqlFlavour } from './dialect.ts';

/**
 * What our portable types mean in SQLite, said to PostgreSQL: integers of 64 bits, real numbers of 64 bits, and
 * text that is compared byte by byte, whatever the locale of the database.
 */
const typeOf: Readonly<Record<string, string>> = {
  text: 'text collate "C"',
  integer: 'bigint',
  real: 'double precision',
  blob: 'bytea',
};

function portableType(node: OperationNode): OperationNode {
  const name = DataTypeNode.is(node) ? typeOf[node.dataType] : undefined;
  return name === undefined ? node : RawNode.createWithSql(name);
}

class PortableCompiler extends PostgresQueryCompiler {
  protected override visitColumnDefinition(node: ColumnDefinitionNode): void {
    super.visitColumnDefinition({
      ...node,
      dataType: portableType(node.dataType) as ColumnDefinitionNode['dataType'],
    });
  }
}

/** The store takes a lock of its own around migrations: Kysely's is an advisory one, which not every server has. */
class LocklessAdapter extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

/** Names the tables of our own schema; other programs may have tables of the same names in theirs. */
async function tablesOf(db: Kysely<unknown>): Promise<TableMetadata[]> {
  const { rows } = await sql<{ schema: string; name: string }>`
    select schemaname as schema, tablename as name from pg_catalog.pg_tables
    where schemaname = current_schema()`.execute(db);
  return rows.map(({ schema, name }) => ({ schema, name, isView: false, columns: [] }));
}

/** PostgreSQL, and what speaks its protocol. */
export const postgresFlavour: SqlFlavour = {
  createAdapter: () => new LocklessAdapter(),
  createIntrospector: (db) => ({
    getSchemas: async () => [],
    getTables: () => tablesOf(db as Kysely<unknown>),
    getMetadata: async () => ({ tables: await tablesOf(db as Kysely<unknown>) }),
  }),
  createQueryCompiler: () => new PortableCompiler(),
};
