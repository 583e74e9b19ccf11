import type { Statement, Store } from '@oakestra/store';
import type { Selectable } from 'kysely';
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

/** A user as an organisation sees it. */
export interface Member extends User {
  readonly roles: readonly string[];
}

export interface Account extends User {
  readonly passwordHash: string;
}

export interface Membership {
  readonly organisationId: string;
  readonly userId: string;
  readonly roles: readonly string[];
}

export interface OrganisationRecord {
  readonly id: string;
  readonly name: string;
}

type UserRow = Selectable<IdentitySchema['users']>;

/** What is stored about people. Reads only see what is on disk; nothing is cached. Statements are for batches. */
export interface Accounts {
  byName(name: string): Promise<Account | undefined>;
  byId(id: string): Promise<Account | undefined>;
  all(): Promise<readonly User[]>;
  membersOf(organisationId: string): Promise<readonly Member[]>;
  organisationByName(name: string): Promise<OrganisationRecord | undefined>;
  organisationById(id: string): Promise<OrganisationRecord | undefined>;
  organisations(): Promise<readonly OrganisationRecord[]>;
  memberships(filter?: { organisationId?: string; userId?: string }): Promise<readonly Membership[]>;
  /** `undefined` when the user is not a member. */
  rolesOf(userId: string, organisationId: string): Promise<readonly string[] | undefined>;
  insertions(records: AccountRecords): Statement[];
  /** All or nothing. A name that is taken is a `conflict` of the store. */
  add(records: AccountRecords): Promise<void>;
}

interface AccountRecords {
  readonly users?: readonly Account[];
  readonly organisations?: readonly OrganisationRecord[];
  readonly memberships?: readonly Membership[];
}

export function createAccounts(store: Store<IdentitySchema>): Accounts {
  const { db } = store;
  const users = () => db.selectFrom('users').selectAll();
  const organisations = () => db.selectFrom('organisations').select(['id', 'name']);

  const insertions = ({ users = [], organisations = [], memberships = [] }: AccountRecords): Statement[] => [
    ...users.map((user) => db.insertInto('users').values(rowFrom(user))),
    ...organisations.map(({ id, name }) => db.insertInto('organisations').values({ id, name })),
    ...memberships.map(({ organisationId, userId, roles }) =>
      db.insertInto('memberships').values({
        organisation_id: organisationId,
        user_id: userId,
        roles: JSON.stringify(roles),
      }),
    ),
  ];

  return {
    async byName(name) {
      const row = await users().where('name', '=', name).executeTakeFirst();
      return row === undefined ? undefined : accountFrom(row);
    },
    async byId(id) {
      const row = await users().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : accountFrom(row);
    },
    async all() {
      return (await users().orderBy('name').execute()).map(userFrom);
    },
    async membersOf(organisationId) {
      const rows = await users()
        .innerJoin('memberships', 'memberships.user_id', 'users.id')
        .select('memberships.roles')
        .where('memberships.organisation_id', '=', organisationId)
        .orderBy('name')
        .execute();
      return rows.map((row) => ({ ...userFrom(row), roles: JSON.parse(row.roles) as string[] }));
    },
    organisationByName: (name) => organisations().where('name', '=', name).executeTakeFirst(),
    organisationById: (id) => organisations().where('id', '=', id).executeTakeFirst(),
    organisations: () => organisations().orderBy('name').execute(),
    async memberships({ organisationId, userId } = {}) {
      let rows = db.selectFrom('memberships').selectAll().orderBy('user_id');
      if (organisationId !== undefined) rows = rows.where('organisation_id', '=', organisationId);
      if (userId !== undefined) rows = rows.where('user_id', '=', userId);
      return (await rows.execute()).map((row) => ({
        organisationId: row.organisation_id,
        userId: row.user_id,
        roles: JSON.parse(row.roles) as string[],
      }));
    },
    async rolesOf(userId, organisationId) {
      const row = await db
        .selectFrom('memberships')
        .select('roles')
        .where('user_id', '=', userId)
        .where('organisation_id', '=', organisationId)
        .executeTakeFirst();
      return row === undefined ? undefined : (JSON.parse(row.roles) as string[]);
    },
    insertions,
    add: (records) => store.commit(insertions(records), { durability: 'full' }),
  };
}

/** Without anything that must not be shown (Q17). */
function userFrom({ id, name, email, created_at_ms }: Omit<UserRow, 'token_generation'>): User {
  return { id, name, email, createdAtMs: Number(created_at_ms) };
}

function accountFrom(row: UserRow): Account {
  return { ...userFrom(row), passwordHash: row.password_hash };
}

function rowFrom(account: Account) {
  const { id, name, email, passwordHash, createdAtMs } = account;
  return { id, name, email, password_hash: passwordHash, created_at_ms: createdAtMs };
}
