import type { Migrations } from '@oakestra/store';

export interface WorkersSchema {
  workers: {
    id: string;
    name: string;
    /** JSON of the registration. */
    registration: string;
  };
  /** Labels that were set over the API of the root. */
  worker_labels: {
    worker_id: string;
    version: number;
    /** JSON. */
    labels: string;
  };
}

export const workersMigrations: Migrations = {
  '0001-workers': {
    async up(db) {
      await db.schema
        .createTable('workers')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull().unique())
        .addColumn('registration', 'text', (column) => column.notNull())
        .execute();
    },
  },
  '0005-worker-labels': {
    async up(db) {
      await db.schema
        .createTable('worker_labels')
        .addColumn('worker_id', 'text', (column) => column.primaryKey())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addColumn('labels', 'text', (column) => column.notNull())
        .execute();
    },
  },
};
