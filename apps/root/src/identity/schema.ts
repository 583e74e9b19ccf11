import type { Kysely, Migration } from 'kysely';

export interface IdentitySchema {
  users: {
    readonly id: string;
    readonly name: string;
    readonly email: string;
    readonly password_hash: string;
    readonly created_at_ms: number;
  };
  organisations: { readonly id: string; readonly name: string };
  memberships: {
    readonly organisation_id: string;
    readonly user_id: string;
    /** JSON list of role names. */
    readonly roles: string;
  };
}

/** The tables of this room. */
export const identityMigrations: Readonly<Record<string, Migration>> = {
  '0001-identity': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('users')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull().unique())
        .addColumn('email', 'text', (column) => column.notNull())
        .addColumn('password_hash', 'text', (column) => column.notNull())
        .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('organisations')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull().unique())
        .execute();
      await db.schema
        .createTable('memberships')
        .addColumn('organisation_id', 'text', (column) =>
          column.notNull().references('organisations.id').onDelete('cascade'),
        )
        .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
        .addColumn('roles', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('memberships_key', ['organisation_id', 'user_id'])
        .execute();
    },
  },
};
