import type { Migrations } from '@oakestra/store';

export interface WorkersSchema {
  workers: {
    id: string;
    name: string;
    /** JSON of the registration. */
    registration: string;
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
};
