import { OakestraError, type Sensitive } from '@oakestra/contracts';
import type { Clock, Disk, Logger, Random } from '@oakestra/daemon';
import type { Sealer } from '@oakestra/pki';
import type { Store } from '@oakestra/store';
import type { AuditWriter } from '../audit/index.ts';
import { createAccounts, type Member, type User } from './accounts.ts';
import { createTrail, ROOT_ITSELF } from './audit-trail.ts';
import { requireRootAdmin } from './authority.ts';
import { ensureAdmin } from './default-admin.ts';
import { diskKeyShelf, storeKeyShelf } from './key-shelves.ts';
import { createLoginNotes } from './login-notes.ts';
import { createMailer } from './mail/mailer.ts';
import type { MailSettings, MailTransport } from './mail/smtp.ts';
import { createOrganisations, type Organisations } from './organisations.ts';
import { createPasswordCheck } from './password-check.ts';
import { createPasswordHasher } from './password-hash.ts';
import { createPasswordReset, type PasswordReset } from './password-reset.ts';
import { createPersonalTokens, isPersonalToken, type PersonalTokens } from './personal-tokens.ts';
import { type Caller, hasScope, type Principal, type Scope } from './principal.ts';
import type { IdentitySchema } from './schema.ts';
import { createSessions, type LoginAttempt } from './sessions.ts';
import { openSigningKeys } from './signing-keys.ts';
import { createStandings } from './standings.ts';
import { createTokens, LONGEST_TOKEN_MS } from './tokens.ts';
import { createUsers, type NewMember, type UserChanges, type Users } from './users.ts';

export interface NewUser extends NewMember {
  /** Name; joins this organisation with these roles. */
  readonly organisation: string;
}

/** Who may speak to the root: users, organisations, passwords, tokens (root-api 3). */
export interface Identity {
  /**
   * Rejects: `credentials-wrong` (unauthenticated), `organisation-not-found`, `organisation-not-joined`
   * (forbidden), `login-throttled` and `login-busy` (exhausted).
   */
  login(attempt: LoginAttempt): Promise<{ readonly accessToken: string; readonly refreshToken: string }>;
  /** A new access token with the roles of today (Q7). Rejects `token-*`, `user-not-found`. */
  refresh(refreshToken: string): Promise<{ readonly accessToken: string }>;
  /** Ends the login: its refresh token and the access tokens that came from it. Rejects `token-*`. */
  logout(refreshToken: string, address: string): Promise<void>;
  /**
   * Takes access tokens of logins and personal access tokens. Rejects `token-*` (unauthenticated), also when the
   * user is gone or the token was revoked, and `scope-missing` (forbidden) when a personal token lacks `needed`.
   * Default: `admin`, so that whoever forgets to say what a request does opens nothing.
   */
  authenticate(accessToken: string, needed?: Scope): Promise<Principal>;
  users(): Promise<readonly User[]>;
  userByName(name: string): Promise<User | undefined>;
  /** Empty for an organisation that does not exist. */
  membersOf(organisationId: string): Promise<readonly Member[]>;
  /** `undefined`: no member. */
  rolesOf(userId: string, organisationId: string): Promise<readonly string[] | undefined>;
  /** By the root itself. Rejects `user-invalid`, `user-exists`, `organisation-not-found`. */
  createUser(user: NewUser): Promise<User>;
  readonly register: Users['register'];
  updateUser(name: string, changes: UserChanges, by: Caller): Promise<void>;
  readonly changePassword: Users['changePassword'];
  readonly removeUser: Users['remove'];
  readonly endSessions: Users['endSessions'];
  readonly organisations: Organisations;
  readonly passwordReset: PasswordReset;
  readonly personalTokens: PersonalTokens;
  /** PEM of the key that signs tokens now (root-api 12). */
  publicKeyPem(): string;
  /** A new key signs; see `SigningKeys.rotate`. Rejects `role-missing`, `token-key-*`. */
  rotateSigningKey(by: Caller, options?: { readonly endOldTokens?: boolean }): Promise<void>;
  /** Gives up mails that wait. */
  stop(): Promise<void>;
}

export interface IdentityOptions {
  readonly store: Store<IdentitySchema>;
  readonly disk: Disk;
  /** Keeps the signing keys in the store, where other roots find them. Default: they are kept in `stateDir`. */
  readonly sealer?: Sealer | undefined;
  /** Existing folder for the signing keys (`token-key*`) and a generated password (`admin-password`). */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: nothing is written. */
  readonly audit?: AuditWriter | undefined;
  /** Default: no mails, and no password reset. */
  readonly mail?: MailSettings | undefined;
  /** Default: SMTP. */
  readonly mailTransport?: MailTransport | undefined;
  /** Password of `Admin` at the first start. Default: a random one, written to `admin-password`. */
  readonly adminPassword?: Sensitive<string> | undefined;
  /** `Admin`/`Admin` at the first start, as old clients hard-code it. Default false. */
  readonly useLegacyAdminPassword?: boolean;
  /** RSA key in PEM form that signs tokens (`JWT_PRIVATE_KEY`). Default: our own, in the state folder. */
  readonly jwtPrivateKey?: Sensitive<string> | undefined;
  /** Must belong to it (`JWT_PUBLIC_KEY`). Default: derived. */
  readonly jwtPublicKey?: string | undefined;
}

/** Opens the room: key, administrator and organisation exist when it resolves. */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { store, disk, stateDir, clock, random, logger, adminPassword } = options;
  const accounts = createAccounts(store);
  const hasher = createPasswordHasher();
  const passwords = createPasswordCheck({ hasher, clock, random });
  const trail = createTrail(options.audit);
  const transport = options.mailTransport === undefined ? {} : { transport: options.mailTransport };
  const mailer = createMailer({ settings: options.mail, clock, random, logger, ...transport });
  const onDisk = diskKeyShelf(disk, stateDir);
  const { sealer } = options;
  const keys = await openSigningKeys({
    ...{ clock, logger, longestTokenMs: LONGEST_TOKEN_MS },
    ...(sealer === undefined
      ? { shelf: onDisk }
      : { shelf: storeKeyShelf({ store, sealer, clock }), formerShelf: onDisk }),
    givenPrivateKey: options.jwtPrivateKey,
    givenPublicKey: options.jwtPublicKey,
  });
  const useLegacyPassword = options.useLegacyAdminPassword ?? false;
  await ensureAdmin({
    ...{ accounts, hasher, disk, stateDir, clock, random, logger, adminPassword, useLegacyPassword },
  });

  const standings = createStandings(store, clock);
  const personalTokens = createPersonalTokens({ store, clock, random, trail });
  const forget = () => {
    standings.forget();
    personalTokens.forget();
  };
  const sessions = createSessions({
    ...{ store, accounts, passwords, hasher, standings, trail, clock, logger },
    tokens: createTokens(keys, clock),
    notes: createLoginNotes(trail, clock),
  });
  const users = createUsers({
    ...{ store, accounts, hasher, mailer, trail, clock, random, forget },
    isPasswordRight: (account, password, address) =>
      passwords.isRight({ userName: account.name, account, password, address }),
  });

  return {
    login: sessions.login,
    refresh: sessions.refresh,
    logout: sessions.logout,
    async authenticate(token, needed = 'admin') {
      const isPersonal = isPersonalToken(token);
      const principal = await (isPersonal ? personalTokens : sessions).principalOf(token);
      if (hasScope(principal.scopes, needed)) return principal;
      const message = `The personal access token lacks the scope ${needed}; create one that has it.`;
      throw new OakestraError('forbidden', 'scope-missing', message);
    },
    users: accounts.all,
    async userByName(name) {
      const account = await accounts.byName(name);
      if (account === undefined) return undefined;
      const { passwordHash: _hidden, ...user } = account;
      return user;
    },
    membersOf: accounts.membersOf,
    rolesOf: accounts.rolesOf,
    async createUser({ organisation, ...user }) {
      const found = await accounts.organisationByName(organisation);
      if (found === undefined) {
        const message = `There is no organisation ${organisation}.`;
        throw new OakestraError('not-found', 'organisation-not-found', message);
      }
      const { roles: _roles, ...created } = await users.create(user, found.id, ROOT_ITSELF);
      return created;
    },
    register: users.register,
    updateUser: users.update,
    changePassword: users.changePassword,
    removeUser: users.remove,
    endSessions: users.endSessions,
    organisations: createOrganisations({ store, accounts, trail, random, forget }),
    passwordReset: createPasswordReset({
      ...{ store, accounts, hasher, mailer, trail, clock, random, forget },
    }),
    personalTokens,
    publicKeyPem: keys.publicKeyPem,
    async rotateSigningKey(by, rotation = {}) {
      requireRootAdmin(by);
      await keys.rotate(rotation);
      const details = { endOldTokens: rotation.endOldTokens ?? false };
      trail.note(by, {
        action: 'signing-key.rotate',
        object: { kind: 'signing-key', id: 'current' },
        details,
      });
    },
    stop: mailer.stop,
  };
}
