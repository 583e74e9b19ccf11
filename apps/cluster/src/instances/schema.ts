import type { Migrations } from '@oakestra/store';

export interface InstancesSchema {
  instances: {
    key: string;
    wanted: string;
    status: string;
    /** JSON of the whole record; the other columns are for queries. */
    record: string;
  };
}

export const instancesMigrations: Migrations = {
  '0001-instances': {
    async up(db) {
      await db.schema
        .createTable('instances')
        .addColumn('key', 'text', (column) => column.primaryKey())
        .addColumn('wanted', 'text', (column) => column.notNull())
        .addColumn('status', 'text', (column) => column.notNull())
        .addColumn('record', 'text', (column) => column.notNull())
        .execute();
    },
  },
};
