import type { Migrations } from '@oakestra/store';

export interface SealedObjectsSchema {
  sealed_objects: {
    id: string;
    /** `secret` or `config`. */
    kind: string;
    owner_user_id: string;
    /** Where it was created. */
    organisation_id: string;
    name: string;
    description: string;
    newest_version: number;
  };
  sealed_versions: {
    object_id: string;
    version: number;
    /** The content, encrypted; begins with the id of its key. */
    sealed: string;
    size_bytes: number;
    /** 1: it can be the value of an environment variable. */
    is_text: number;
    created_at_ms: number;
  };
}

export const sealedObjectsMigrations: Migrations = {
  '0006-sealed-objects': {
    async up(db) {
      await db.schema
        .createTable('sealed_objects')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('owner_user_id', 'text', (column) => column.notNull())
        .addColumn('organisation_id', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('description', 'text', (column) => column.notNull())
        .addColumn('newest_version', 'bigint', (column) => column.notNull())
        .addUniqueConstraint('sealed_objects_name', ['owner_user_id', 'kind', 'name'])
        .execute();
      await db.schema
        .createTable('sealed_versions')
        .addColumn('object_id', 'text', (column) => column.notNull())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addColumn('sealed', 'text', (column) => column.notNull())
        .addColumn('size_bytes', 'bigint', (column) => column.notNull())
        .addColumn('is_text', 'integer', (column) => column.notNull())
        .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('sealed_versions_key', ['object_id', 'version'])
        .execute();
    },
  },
};
