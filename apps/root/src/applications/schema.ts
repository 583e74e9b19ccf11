import type { Kysely, Migration } from 'kysely';

/**
 * `submitting`: its services are being registered, nobody was told that it exists. `removing`: its services are
 * being removed. Both are completed at the next start if this process ends in between.
 */
export type ApplicationState = 'submitting' | 'ready' | 'removing';

export interface ApplicationsSchema {
  applications: {
    readonly id: string;
    readonly owner_user_id: string;
    /** Where it was created; null: nobody knows, as for what was adopted. */
    readonly organisation_id: string | null;
    readonly name: string;
    readonly namespace: string;
    /** What must be unique per owner: `<name>.<namespace>`, for an adopted duplicate with its id behind it. */
    readonly unique_name: string;
    /** JSON: the submitted fields, without services. */
    readonly document: string;
    /** JSON list: ids of the services in the order of their submission. */
    readonly service_ids: string;
    /** JSON list of `{id, document}`: services that are being added; nobody was told of them yet. */
    readonly pending: string;
    readonly state: ApplicationState;
    /** Strictly increasing: lists are in the order of creation. */
    readonly created_at_ms: number;
  };
}

/** The tables of this room. */
export const applicationsMigrations: Readonly<Record<string, Migration>> = {
  '0001-applications': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('applications')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('owner_user_id', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('namespace', 'text', (column) => column.notNull())
        .addColumn('unique_name', 'text', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .addColumn('service_ids', 'text', (column) => column.notNull())
        .addColumn('pending', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
        .addUniqueConstraint('applications_unique_name', ['owner_user_id', 'unique_name'])
        .execute();
    },
  },
  '0002-applications-organisation': {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('applications').addColumn('organisation_id', 'text').execute();
    },
  },
};
