import type { Kysely, Migration } from 'kysely';

export interface AuditSchema {
  audit_entries: {
    /** Sorts in the order of recording; see `createEntryIds`. */
    readonly id: string;
    readonly at_ms: number;
    /** Empty: nobody who is known, such as a failed login. */
    readonly user_id: string;
    readonly user_name: string;
    readonly address: string;
    readonly action: string;
    readonly object_kind: string;
    readonly object_id: string;
    readonly object_name: string;
    readonly outcome: string;
    /** JSON object; never secrets. */
    readonly details: string;
  };
}

const TEXTS = [
  'user_id',
  'user_name',
  'address',
  'action',
  'object_kind',
  'object_id',
  'object_name',
] as const;

/** The tables of this room. */
export const auditMigrations: Readonly<Record<string, Migration>> = {
  '0002-audit': {
    async up(db: Kysely<unknown>) {
      let table = db.schema
        .createTable('audit_entries')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('at_ms', 'bigint', (column) => column.notNull());
      for (const name of TEXTS) table = table.addColumn(name, 'text', (column) => column.notNull());
      await table
        .addColumn('outcome', 'text', (column) => column.notNull())
        .addColumn('details', 'text', (column) => column.notNull())
        .execute();
      const indices = {
        audit_entries_user: ['user_name', 'id'],
        audit_entries_object: ['object_kind', 'object_id', 'id'],
        audit_entries_outcome: ['outcome', 'id'],
      };
      for (const [name, columns] of Object.entries(indices)) {
        await db.schema.createIndex(name).on('audit_entries').columns(columns).execute();
      }
    },
  },
};
