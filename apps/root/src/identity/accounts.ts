import type { Store } from '@oakestra/store';
import type { IdentitySchema } from './schema.ts';

/** Role names as they appear in tokens (root-api 3.6). */
export const ROLES = [
  'Admin',
  'Organization_Admin',
  'Application_Provider',
  'Infrastructure_Provider',
] as const;

export interface User {
  /** 24 lower-case hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly createdAtMs: number;
}

export interface Account extends User {
  readonly passwordHash: string;
}

interface Organisation {
  readonly id: string;
  readonly name: string;
}

type UserRow = IdentitySchema['users'];

/** What is stored about people. Reads only see what is on disk; nothing is cached. */
export interface Accounts {
  byName(name: string): Promise<Account | undefined>;
  all(): Promise<readonly User[]>;
  organisationByName(name: string): Promise<Organisation | undefined>;
  /** `undefined` when the user is not a member. */
  rolesOf(userId: string, organisationId: string): Promise<readonly string[] | undefined>;
  /** All or nothing. A name that is taken is a `conflict` of the store. */
  add(records: AccountRecords): Promise<void>;
}

interface AccountRecords {
  readonly users?: readonly Account[];
  readonly organisations?: readonly Organisation[];
  readonly memberships?: readonly {
    readonly organisationId: string;
    readonly userId: string;
    readonly roles: readonly string[];
  }[];
}

export function createAccounts(store: Store<IdentitySchema>): Accounts {
  const { db } = store;
  return {
    async byName(name) {
      const row = await db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst();
      return row === undefined ? undefined : { ...userFrom(row), passwordHash: row.password_hash };
    },
    async all() {
      const rows = await db.selectFrom('users').selectAll().orderBy('name').execute();
      return rows.map(userFrom);
    },
    organisationByName: (name) =>
      db.selectFrom('organisations').select(['id', 'name']).where('name', '=', name).executeTakeFirst(),
    async rolesOf(userId, organisationId) {
      const row = await db
        .selectFrom('memberships')
        .select('roles')
        .where('user_id', '=', userId)
        .where('organisation_id', '=', organisationId)
        .executeTakeFirst();
      return row === undefined ? undefined : (JSON.parse(row.roles) as string[]);
    },
    add: ({ users = [], organisations = [], memberships = [] }) =>
      store.commit(
        [
          ...users.map((user) => db.insertInto('users').values(rowFrom(user))),
          ...organisations.map(({ id, name }) => db.insertInto('organisations').values({ id, name })),
          ...memberships.map(({ organisationId, userId, roles }) =>
            db.insertInto('memberships').values({
              organisation_id: organisationId,
              user_id: userId,
              roles: JSON.stringify(roles),
            }),
          ),
        ],
        { durability: 'full' },
      ),
  };
}

function userFrom(row: UserRow): User {
  return { id: row.id, name: row.name, email: row.email, createdAtMs: Number(row.created_at_ms) };
}

function rowFrom(account: Account): UserRow {
  const { id, name, email, passwordHash, createdAtMs } = account;
  return { id, name, email, password_hash: passwordHash, created_at_ms: createdAtMs };
}
