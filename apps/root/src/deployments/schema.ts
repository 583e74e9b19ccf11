import type { Migrations } from '@oakestra/store';

export interface DeploymentsSchema {
  deployment_services: {
    id: string;
    job_name: string;
    owner_user_id: string;
    next_instance_number: number;
    /** JSON. */
    document: string;
    /** Of a global service. */
    assignment_version: number | null;
    /** JSON of `RolloutState`; null: never changed. */
    rollout: string | null;
  };
  deployment_instances: {
    key: string;
    service_id: string;
    wanted: string;
    status: string;
    /** JSON of the whole record; the other columns are for queries. */
    record: string;
  };
  /** Clusters of which an operator said something; the others are open. */
  deployment_clusters: {
    cluster_id: string;
    availability: string;
    /** Our newest epoch number at that time. */
    marked_at: number;
  };
}

export const deploymentsMigrations: Migrations = {
  '0001-deployments': {
    async up(db) {
      await db.schema
        .createTable('deployment_services')
        .addColumn('id', 'text', (column) => column.primaryKey())
        // Not unique: a service that is learned from below may have the name of a younger one.
        .addColumn('job_name', 'text', (column) => column.notNull())
        .addColumn('owner_user_id', 'text', (column) => column.notNull())
        .addColumn('next_instance_number', 'bigint', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('deployment_instances')
        .addColumn('key', 'text', (column) => column.primaryKey())
        .addColumn('service_id', 'text', (column) => column.notNull())
        .addColumn('wanted', 'text', (column) => column.notNull())
        .addColumn('status', 'text', (column) => column.notNull())
        .addColumn('record', 'text', (column) => column.notNull())
        .execute();
    },
  },
  '0004-rollout': {
    async up(db) {
      await db.schema.alterTable('deployment_services').addColumn('rollout', 'text').execute();
    },
  },
  '0005-deployment-clusters': {
    async up(db) {
      await db.schema
        .createTable('deployment_clusters')
        .addColumn('cluster_id', 'text', (column) => column.primaryKey())
        .addColumn('availability', 'text', (column) => column.notNull())
        .addColumn('marked_at', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  '0006-assignments': {
    async up(db) {
      await db.schema.alterTable('deployment_services').addColumn('assignment_version', 'bigint').execute();
    },
  },
};
