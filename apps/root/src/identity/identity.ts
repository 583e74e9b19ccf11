import { OakestraError, type Sensitive } from '@oakestra/contracts';
import { type Clock, type Disk, type Logger, newId, type Random } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import { type Account, createAccounts, type User } from './accounts.ts';
import { createAttemptThrottle } from './attempt-throttle.ts';
import { ensureAdmin, ROOT_ORGANISATION } from './default-admin.ts';
import { createPasswordHasher } from './password-hash.ts';
import type { IdentitySchema } from './schema.ts';
import { openSigningKey } from './signing-key.ts';
import { createTokens, type TokenSubject } from './tokens.ts';
import { createVerifiedPasswords } from './verified-passwords.ts';

/** A user who proved to be one, in the organisation of the login. */
export interface Principal {
  readonly userId: string;
  readonly userName: string;
  readonly organisationId: string;
  readonly roles: readonly string[];
}

interface LoginAttempt {
  readonly userName: string;
  readonly password: string;
  /** Default `root`. */
  readonly organisation?: string | undefined;
  /** Where the attempt comes from: guesses are slowed down per user and address. */
  readonly address: string;
}

interface NewUser {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  /** Joins this organisation with these roles. */
  readonly organisation: string;
  readonly roles: readonly string[];
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
  /** Rejects `token-*` (unauthenticated), also when the user is gone. */
  authenticate(accessToken: string): Promise<Principal>;
  users(): Promise<readonly User[]>;
  userByName(name: string): Promise<User | undefined>;
  /** Rejects `user-invalid`, `user-exists`, `organisation-not-found`. */
  createUser(user: NewUser): Promise<User>;
}

export interface IdentityOptions {
  readonly store: Store<IdentitySchema>;
  readonly disk: Disk;
  /** Existing folder for the signing key (`token-key.pem`) and a generated password (`admin-password`). */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Password of `Admin` at the first start. Default: a random one, written to `admin-password`. */
  readonly adminPassword?: Sensitive<string> | undefined;
  /** `Admin`/`Admin` at the first start, as old clients hard-code it. Default false. */
  readonly useLegacyAdminPassword?: boolean;
  /** RSA key in PEM form that signs tokens. Default: one of our own in the state folder. */
  readonly jwtPrivateKey?: Sensitive<string> | undefined;
}

const LONGEST_NAME = 256;
const LONGEST_PASSWORD = 1024;

/** Opens the room: key, administrator and organisation exist when it resolves. */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { store, disk, stateDir, clock, random, logger, adminPassword } = options;
  const accounts = createAccounts(store);
  const hasher = createPasswordHasher();
  const verified = createVerifiedPasswords(clock, random);
  const throttle = createAttemptThrottle(clock);
  const tokens = createTokens(await openSigningKey(disk, stateDir, options.jwtPrivateKey), clock);
  const useLegacyPassword = options.useLegacyAdminPassword ?? false;
  await ensureAdmin({
    accounts,
    hasher,
    disk,
    stateDir,
    clock,
    random,
    logger,
    adminPassword,
    useLegacyPassword,
  });
  // Unknown users take as long as known ones. Made at the first of them: a start should not wait for it.
  let decoyHash: Promise<string> | undefined;

  return {
    async login({ userName, password, organisation, address }) {
      if (userName.length > LONGEST_NAME || password.length > LONGEST_PASSWORD) throw wrongCredentials();
      await throttle.admit(userName, address);
      const account = await accounts.byName(userName);
      if (!(await matches(account, password)) || account === undefined) {
        throttle.failed(userName, address);
        throw wrongCredentials();
      }
      throttle.succeeded(userName, address);
      const subject = await subjectFor(account, organisation || ROOT_ORGANISATION);
      const [accessToken, refreshToken] = await Promise.all([
        tokens.mint('access', subject),
        tokens.mint('refresh', subject),
      ]);
      return { accessToken, refreshToken };
    },
    async refresh(refreshToken) {
      const { userName, organisationId } = await tokens.verify('refresh', refreshToken);
      const account = await accounts.byName(userName);
      if (account === undefined) {
        throw new OakestraError(
          'not-found',
          'user-not-found',
          `The user ${userName} does not exist any more.`,
        );
      }
      const roles = (await accounts.rolesOf(account.id, organisationId)) ?? [];
      return { accessToken: await tokens.mint('access', { userName, organisationId, roles }) };
    },
    async authenticate(accessToken) {
      const subject = await tokens.verify('access', accessToken);
      const account = await accounts.byName(subject.userName);
      if (account === undefined) {
        throw new OakestraError(
          'unauthenticated',
          'token-user-gone',
          `The user ${subject.userName} of the token does not exist any more.`,
        );
      }
      return { userId: account.id, ...subject };
    },
    users: () => accounts.all(),
    async userByName(name) {
      const account = await accounts.byName(name);
      return account === undefined ? undefined : publicPart(account);
    },
    createUser,
  };

  async function matches(account: Account | undefined, password: string): Promise<boolean> {
    if (password === '') return false;
    if (account === undefined) {
      decoyHash ??= hasher.hash(newId(random));
      await hasher.verify(await decoyHash, password);
      return false;
    }
    const { passwordHash } = account;
    if (verified.has(passwordHash, password)) return true;
    const isRight = await hasher.verify(passwordHash, password);
    if (isRight) verified.add(passwordHash, password);
    return isRight;
  }

  async function subjectFor(account: Account, organisationName: string): Promise<TokenSubject> {
    const organisation = await organisationNamed(organisationName);
    const roles = await accounts.rolesOf(account.id, organisation.id);
    if (roles === undefined) {
      throw new OakestraError(
        'forbidden',
        'organisation-not-joined',
        `The user ${account.name} is not a member of the organisation ${organisationName}.`,
      );
    }
    return { userName: account.name, organisationId: organisation.id, roles };
  }

  async function organisationNamed(name: string) {
    const organisation = await accounts.organisationByName(name);
    if (organisation !== undefined) return organisation;
    throw new OakestraError('not-found', 'organisation-not-found', `There is no organisation ${name}.`);
  }

  async function createUser({ name, email, password, organisation, roles }: NewUser): Promise<User> {
    const isTooLong = name.length > LONGEST_NAME || password.length > LONGEST_PASSWORD;
    if (name.trim() === '' || password === '' || isTooLong) {
      throw new OakestraError(
        'invalid',
        'user-invalid',
        `A user needs a name (up to ${LONGEST_NAME} characters) and a password (up to ${LONGEST_PASSWORD}).`,
      );
    }
    const { id: organisationId } = await organisationNamed(organisation);
    const passwordHash = await hasher.hash(password);
    const account = { id: newId(random), name, email, passwordHash, createdAtMs: clock.nowMs() };
    try {
      await accounts.add({ users: [account], memberships: [{ organisationId, userId: account.id, roles }] });
    } catch (cause) {
      if (!(cause instanceof OakestraError) || cause.code !== 'store-constraint') throw cause;
      throw new OakestraError('conflict', 'user-exists', `There is a user ${name} already.`, { cause });
    }
    return publicPart(account);
  }
}

function publicPart({ id, name, email, createdAtMs }: Account): User {
  return { id, name, email, createdAtMs };
}

function wrongCredentials(): OakestraError {
  return new OakestraError(
    'unauthenticated',
    'credentials-wrong',
    'User name or password is wrong. The password of a new installation is in the file admin-password of the state folder.',
  );
}
