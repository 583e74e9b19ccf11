import { type Kysely, type RawBuilder, sql } from 'kysely';
import { type MetaSchema, metaTable } from './incarnation.ts';

/**
 * What tells a database from a copy of it. Each part answers another way of copying, and one that this server or
 * this user cannot know is `-`:
 * - the server's identifier: another server, also after an upgrade with pg_upgrade (initdb draws it anew);
 * - the number of the database: restored beside the original, or made with it as a template;
 * - the number of our table: dropped and restored in place;
 * - the server's timeline: restored to a point in time, or a standby took over, which may lack the last commits.
 *
 * Not to be told: a file system snapshot of a stopped server put back in its place, and rows restored into tables
 * that were left standing. After these `mintIncarnation` has to be called.
 */
const parts: readonly RawBuilder<{ part: string | null }>[] = [
  sql`select system_identifier::text as part from pg_control_system()`,
  sql`select oid::text as part from pg_database where datname = current_database()`,
  sql`select to_regclass(${metaTable})::oid::text as part`,
  sql`select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as part`,
];

/** Outside of transactions: what the server does not know must not undo them. */
export async function databaseIdentity(db: Kysely<MetaSchema>): Promise<string> {
  const found: string[] = [];
  for (const part of parts) {
    const rows = await part.execute(db).then(
      (result) => result.rows,
      () => [],
    );
    found.push(rows[0]?.part ?? '-');
  }
  return found.join(':');
}
