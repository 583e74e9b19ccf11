import type { Migrations } from '@oakestra/store';

export interface ClustersSchema {
  clusters: {
    id: string;
    name: string;
    location: string;
    address: string;
    port: number;
  };
}

export const clustersMigrations: Migrations = {
  '0001-clusters': {
    async up(db) {
      await db.schema
        .createTable('clusters')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull().unique())
        .addColumn('location', 'text', (column) => column.notNull())
        .addColumn('address', 'text', (column) => column.notNull())
        .addColumn('port', 'integer', (column) => column.notNull())
        .execute();
    },
  },
};
