import type { Migrations } from '@oakestra/store';

export interface InstancesSchema {
  instances: {
    key: string;
    wanted: string;
    status: string;
    /** JSON of the whole record; the other columns are for queries. */
    record: string;
  };
  /** Global services that this cluster runs by itself. */
  assignments: {
    service_id: string;
    version: number;
    /** JSON of the assignment. */
    assignment: string;
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
  '0005-assignments': {
    async up(db) {
      await db.schema
        .createTable('assignments')
        .addColumn('service_id', 'text', (column) => column.primaryKey())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addColumn('assignment', 'text', (column) => column.notNull())
        .execute();
    },
  },
};
