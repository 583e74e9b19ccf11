import { OakestraError } from '@oakestra/contracts';
import { type Clock, newId, type Random } from '@oakestra/daemon';
import type { Statement, Store } from '@oakestra/store';
import { requireEmail, requireName, requirePassword, requireRoles } from './account-rules.ts';
import type { Account, Accounts, Member } from './accounts.ts';
import type { Trail, Who } from './audit-trail.ts';
import { requireAdmin, requireAuthorityOverUser } from './authority.ts';
import { commitKeepingAdmin } from './keep-admin.ts';
import { accountUpdatedMail, registrationMail } from './mail/mail-texts.ts';
import type { Mailer } from './mail/mailer.ts';
import { networkOf } from './network-of.ts';
import type { PasswordHasher } from './password-hash.ts';
import { requireLogin } from './personal-tokens.ts';
import type { Caller } from './principal.ts';
import type { IdentitySchema } from './schema.ts';
import { endLinksStatement, endTokensStatement, newPasswordStatements } from './user-statements.ts';

export interface NewMember {
  readonly name: string;
  /** Empty: gets no mails. */
  readonly email: string;
  readonly password: string;
  readonly roles: readonly string[];
}

export interface UserChanges {
  readonly email?: string | undefined;
  /** Empty: stays as it is. */
  readonly password?: string | undefined;
  /** In the organisation of whoever asks. */
  readonly roles?: readonly string[] | undefined;
}

/** The changes of people (root-api 4.2). What is read of them is in `Accounts`. */
export interface Users {
  /** Rejects `user-invalid`, `user-exists`. */
  create(user: NewMember, organisationId: string, who: Who): Promise<Member>;
  /** Joins the organisation of the caller. Rejects as `create`, and `role-missing`. */
  register(user: NewMember, by: Caller): Promise<Member>;
  /**
   * Administrators change everything, users their own e-mail address (Q19). Rejects `user-not-found`,
   * `user-invalid`, `role-missing`, `administrator-last`.
   */
  update(name: string, changes: UserChanges, by: Caller): Promise<void>;
  /** The tokens of the user end. Rejects `password-wrong`, `password-unchanged`, `user-invalid`. */
  changePassword(
    change: { readonly oldPassword: string; readonly newPassword: string },
    by: Caller,
  ): Promise<void>;
  /** Applications stay. Rejects `user-not-found`, `role-missing`, `administrator-last`. */
  remove(name: string, by: Caller): Promise<void>;
  /** All logins of the user end at once; personal tokens only when told so. */
  endSessions(name: string, by: Caller, options?: { readonly andPersonalTokens?: boolean }): Promise<void>;
}

interface Parts {
  readonly store: Store<IdentitySchema>;
  readonly accounts: Accounts;
  readonly hasher: PasswordHasher;
  readonly mailer: Mailer;
  readonly trail: Trail;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether the password is right; slowed down like logins. */
  readonly isPasswordRight: (account: Account, password: string, address: string) => Promise<boolean>;
  /** After a change of who may do what. */
  readonly forget: () => void;
}

const FULL = { durability: 'full' } as const;

export function createUsers(parts: Parts): Users {
  const { store, accounts, hasher, mailer, trail, clock, random, forget } = parts;
  const { db } = store;
  const users: Users = {
    async create({ name, email, password, roles }, organisationId, who) {
      requireName(name);
      requireEmail(email);
      requirePassword(password);
      requireRoles(roles);
      const passwordHash = await hasher.hash(password, networkOf(who.address ?? ''));
      const account = { id: newId(random), name, email, passwordHash, createdAtMs: clock.nowMs() };
      const event = { action: 'user.create', object: objectOf(account), details: { roles, organisationId } };
      const memberships = [{ organisationId, userId: account.id, roles }];
      try {
        await store.commit(
          [...accounts.insertions({ users: [account], memberships }), ...trail.of(who, event)],
          FULL,
        );
      } catch (cause) {
        if (!(cause instanceof OakestraError) || cause.code !== 'store-constraint') throw cause;
        throw new OakestraError('conflict', 'user-exists', `There is a user ${name} already.`, { cause });
      }
      forget();
      mailer.post('registration', registrationMail({ name, email, roles }));
      return { id: account.id, name, email, createdAtMs: account.createdAtMs, roles };
    },

    async register(user, by) {
      requireAdmin(by);
      return users.create(user, by.organisationId, by);
    },

    async update(name, changes, by) {
      const account = await existing(name);
      const memberships = await accounts.memberships({ userId: account.id });
      const roles = memberships.find(({ organisationId }) => organisationId === by.organisationId)?.roles;
      const wanted = differences(account, roles, changes);
      if (account.id === by.userId && isOwnBusiness(wanted)) requireLogin(by);
      else if (account.id === by.userId && !by.roles.includes('Admin')) throw notOwnBusiness(wanted);
      else requireAuthorityOverUser(by, memberships);
      if (wanted.email !== undefined) requireEmail(wanted.email);
      if (wanted.password !== undefined) requirePassword(wanted.password);
      if (wanted.roles !== undefined) requireRoles(wanted.roles);
      const changed = Object.entries(wanted).flatMap(([key, value]) => (value === undefined ? [] : [key]));
      if (changed.length === 0) return;
      const details = { changed, ...(wanted.roles === undefined ? {} : { roles: wanted.roles }) };
      const event = { action: 'user.change', object: objectOf(account), details };
      const statements = await statementsFor(account, wanted, by);
      await commitKeepingAdmin(store, [...statements, ...trail.of(by, event)]);
      forget();
      // The earlier address learns of it, too: whoever took the account over would not tell.
      for (const email of new Set([account.email, wanted.email ?? account.email])) {
        mailer.post(
          'account-updated',
          accountUpdatedMail({ name, email, roles: wanted.roles ?? roles ?? [] }),
        );
      }
    },

    async changePassword({ oldPassword, newPassword }, by) {
      requireLogin(by);
      const account = await existing(by.userName);
      const object = objectOf(account);
      if (!(await parts.isPasswordRight(account, oldPassword, by.address))) {
        trail.note(by, { action: 'password.change', object, outcome: 'refused' });
        throw new OakestraError('invalid', 'password-wrong', 'Old password is not valid!');
      }
      if (oldPassword === newPassword) {
        throw new OakestraError('invalid', 'password-unchanged', "Old password can't be the new password!");
      }
      requirePassword(newPassword);
      const passwordHash = await hasher.hash(newPassword, networkOf(by.address));
      await store.commit(
        [
          ...newPasswordStatements(db, account.id, passwordHash),
          ...trail.of(by, { action: 'password.change', object }),
        ],
        FULL,
      );
      forget();
    },

    async remove(name, by) {
      const account = await existing(name);
      requireAuthorityOverUser(by, await accounts.memberships({ userId: account.id }));
      const deletion = db.deleteFrom('users').where('id', '=', account.id);
      const event = { action: 'user.delete', object: objectOf(account) };
      await commitKeepingAdmin(store, [deletion, ...trail.of(by, event)]);
      forget();
    },

    async endSessions(name, by, { andPersonalTokens = false } = {}) {
      const account = await existing(name);
      if (account.id === by.userId) requireLogin(by);
      else requireAuthorityOverUser(by, await accounts.memberships({ userId: account.id }));
      const event = { action: 'session.end-all', object: objectOf(account), details: { andPersonalTokens } };
      const statements = [endTokensStatement(db, account.id), ...trail.of(by, event)];
      if (andPersonalTokens) {
        statements.push(db.deleteFrom('personal_tokens').where('user_id', '=', account.id));
      }
      await store.commit(statements, FULL);
      forget();
    },
  };
  return users;

  async function existing(name: string): Promise<Account> {
    const account = await accounts.byName(name);
    if (account !== undefined) return account;
    throw new OakestraError('not-found', 'user-not-found', 'User does not exists');
  }

  /** What is really to be changed: clients send whole documents back (root-api 14.3, Q17, Q18). */
  function differences(
    account: Account,
    roles: readonly string[] | undefined,
    changes: UserChanges,
  ): UserChanges {
    const { email, password } = changes;
    const isSameHash = password === account.passwordHash;
    return {
      email: email === account.email ? undefined : email,
      password: password === '' || isSameHash ? undefined : password,
      roles: changes.roles === undefined || areSame(changes.roles, roles) ? undefined : changes.roles,
    };
  }

  async function statementsFor(account: Account, wanted: UserChanges, by: Caller): Promise<Statement[]> {
    const statements: Statement[] = [];
    if (wanted.email !== undefined) {
      statements.push(
        db.updateTable('users').set({ email: wanted.email }).where('id', '=', account.id),
        endLinksStatement(db, account.id),
      );
    }
    if (wanted.password !== undefined) {
      const passwordHash = await hasher.hash(wanted.password, networkOf(by.address));
      statements.push(...newPasswordStatements(db, account.id, passwordHash));
    }
    if (wanted.roles !== undefined) {
      const organisationId = by.organisationId;
      statements.push(
        db
          .deleteFrom('memberships')
          .where('user_id', '=', account.id)
          .where('organisation_id', '=', organisationId),
        ...accounts.insertions({
          memberships: [{ organisationId, userId: account.id, roles: wanted.roles }],
        }),
      );
    }
    return statements;
  }
}

/**
 * Users change their own e-mail address, in whatever organisation they are, and nothing else this way. It takes a
 * login: with the address goes the mail that opens the account.
 */
function isOwnBusiness({ password, roles }: UserChanges): boolean {
  return password === undefined && roles === undefined;
}

function notOwnBusiness({ roles }: UserChanges): OakestraError {
  const message =
    roles === undefined
      ? 'Change your password with POST /api/user/<name>; here you change your e-mail address.'
      : 'An administrator changes roles; here you change your e-mail address.';
  return new OakestraError('forbidden', 'role-missing', message);
}

function areSame(one: readonly string[], other: readonly string[] | undefined): boolean {
  return other !== undefined && JSON.stringify([...one].sort()) === JSON.stringify([...other].sort());
}

const objectOf = ({ id, name }: { readonly id: string; readonly name: string }) => ({
  kind: 'user',
  id,
  name,
});
