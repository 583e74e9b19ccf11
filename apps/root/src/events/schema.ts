import type { Migrations } from '@oakestra/store';

export interface EventsSchema {
  events: {
    seq: number;
    at_ms: number;
    kind: string;
    /** Whose it is; empty: everybody's. */
    owner_user_id: string;
    organisation_id: string | null;
    service_id: string | null;
    instance_number: number | null;
    cluster_id: string | null;
    status: string | null;
    detail: string;
  };
}

export const eventsMigrations: Migrations = {
  '0002-events': {
    async up(db) {
      await db.schema
        .createTable('events')
        .addColumn('seq', 'bigint', (column) => column.primaryKey())
        .addColumn('at_ms', 'bigint', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('owner_user_id', 'text', (column) => column.notNull())
        .addColumn('service_id', 'text')
        .addColumn('instance_number', 'bigint')
        .addColumn('cluster_id', 'text')
        .addColumn('status', 'text')
        .addColumn('detail', 'text', (column) => column.notNull())
        .execute();
      await db.schema
        .createIndex('events_by_instance')
        .on('events')
        .columns(['service_id', 'instance_number', 'seq'])
        .execute();
    },
  },
  '0008-event-organisation': {
    async up(db) {
      await db.schema.alterTable('events').addColumn('organisation_id', 'text').execute();
    },
  },
};
