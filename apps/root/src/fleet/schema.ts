import type { Migrations } from '@oakestra/store';

export interface FleetSchema {
  /** What is known of clusters (an empty `worker_id`) and workers also while they are away. */
  fleet_members: {
    cluster_id: string;
    worker_id: string;
    name: string;
    /** JSON: labels of its settings, as last reported. */
    own_labels: string;
    /** JSON: labels that were set over the API. */
    labels: string;
    /** Of `labels`. */
    version: number;
  };
}

export const fleetMigrations: Migrations = {
  '0005-fleet': {
    async up(db) {
      await db.schema
        .createTable('fleet_members')
        .addColumn('cluster_id', 'text', (column) => column.notNull())
        .addColumn('worker_id', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('own_labels', 'text', (column) => column.notNull())
        .addColumn('labels', 'text', (column) => column.notNull())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('fleet_members_key', ['cluster_id', 'worker_id'])
        .execute();
    },
  },
};
