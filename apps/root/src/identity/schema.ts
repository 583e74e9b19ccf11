import type { Generated } from '@oakestra/store';
import type { Kysely, Migration } from 'kysely';

export interface IdentitySchema {
  users: {
    readonly id: string;
    readonly name: string;
    readonly email: string;
    readonly password_hash: string;
    readonly created_at_ms: number;
    /** Tokens carry it: raising it ends all that were minted before. A number, as clocks of small machines jump. */
    readonly token_generation: Generated<number>;
  };
  organisations: { readonly id: string; readonly name: string };
  memberships: {
    readonly organisation_id: string;
    readonly user_id: string;
    /** JSON list of role names. */
    readonly roles: string;
  };
  /** Sessions that were ended before their refresh token did. Those that live are not stored: see `sessions.ts`. */
  ended_sessions: {
    readonly id_hash: string;
    readonly user_id: string;
    /** From then on the refresh token is worthless by itself. */
    readonly expires_at_ms: number;
  };
  personal_tokens: {
    readonly id: string;
    readonly user_id: string;
    readonly organisation_id: string;
    readonly name: string;
    readonly token_hash: string;
    /** JSON list. */
    readonly scopes: string;
    readonly created_at_ms: number;
    readonly expires_at_ms: number;
  };
  /** Where several roots share the store. */
  signing_keys: {
    id: string;
    /** Rises with each change. */
    revision: number;
    /** JSON, encrypted. */
    sealed: string;
  };
  password_resets: {
    readonly token_hash: string;
    readonly user_id: string;
    readonly expires_at_ms: number;
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
  '0002-identity-tokens': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('users')
        .addColumn('token_generation', 'bigint', (column) => column.notNull().defaultTo(0))
        .execute();
      await db.schema
        .createTable('ended_sessions')
        .addColumn('id_hash', 'text', (column) => column.primaryKey())
        .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
        .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('personal_tokens')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
        .addColumn('organisation_id', 'text', (column) =>
          column.notNull().references('organisations.id').onDelete('cascade'),
        )
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('token_hash', 'text', (column) => column.notNull().unique())
        .addColumn('scopes', 'text', (column) => column.notNull())
        .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
        .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
        .addUniqueConstraint('personal_tokens_name', ['user_id', 'name'])
        .execute();
      await db.schema
        .createTable('password_resets')
        .addColumn('token_hash', 'text', (column) => column.primaryKey())
        .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
        .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  '0007-signing-keys': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('signing_keys')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('revision', 'bigint', (column) => column.notNull())
        .addColumn('sealed', 'text', (column) => column.notNull())
        .execute();
    },
  },
};
