import { randomUUID } from 'node:crypto';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { Clock, Logger } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import { LONGEST_NAME, LONGEST_PASSWORD } from './account-rules.ts';
import type { Account, Accounts } from './accounts.ts';
import type { Trail } from './audit-trail.ts';
import { ROOT_ORGANISATION } from './default-admin.ts';
import type { LoginNotes } from './login-notes.ts';
import { networkOf } from './network-of.ts';
import type { PasswordCheck } from './password-check.ts';
import type { PasswordHasher } from './password-hash.ts';
import type { Principal } from './principal.ts';
import type { IdentitySchema } from './schema.ts';
import { hashOfSecret } from './secrets.ts';
import type { Standing, Standings } from './standings.ts';
import { LONGEST_TOKEN_MS, refusal, type TokenSubject, type Tokens, type VerifiedToken } from './tokens.ts';

export interface LoginAttempt {
  readonly userName: string;
  readonly password: string;
  /** Default `root`. */
  readonly organisation?: string | undefined;
  /** Where the attempt comes from: guesses are slowed down per user and address. */
  readonly address: string;
}

/**
 * Logins. They are not stored, as command-line clients log in before every command: a session lives as long as
 * its refresh token, and what is stored are those that were ended earlier, by a hash.
 */
export interface Sessions {
  login(attempt: LoginAttempt): Promise<{ readonly accessToken: string; readonly refreshToken: string }>;
  refresh(refreshToken: string): Promise<{ readonly accessToken: string }>;
  logout(refreshToken: string, address: string): Promise<void>;
  principalOf(accessToken: string): Promise<Principal>;
}

interface Parts {
  readonly store: Store<IdentitySchema>;
  readonly accounts: Accounts;
  readonly passwords: PasswordCheck;
  readonly hasher: PasswordHasher;
  readonly tokens: Tokens;
  readonly standings: Standings;
  readonly trail: Trail;
  readonly notes: LoginNotes;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createSessions(parts: Parts): Sessions {
  const { store, accounts, passwords, hasher, tokens, standings, trail, notes, clock, logger } = parts;
  const { db } = store;
  return {
    async login({ userName, password, organisation, address }) {
      if (userName.length > LONGEST_NAME || password.length > LONGEST_PASSWORD) throw wrongCredentials();
      const account = await accounts.byName(userName);
      const isRight = await passwords.isRight({ userName, account, password, address });
      if (!isRight || account === undefined) {
        notes.refused({ userName, address });
        throw wrongCredentials();
      }
      if (hasher.isOutdated(account.passwordHash)) void renewHash(account, password, address);
      const subject = await subjectFor(account, organisation || ROOT_ORGANISATION);
      const [accessToken, refreshToken] = await Promise.all([
        tokens.mint('access', subject),
        tokens.mint('refresh', subject),
      ]);
      notes.succeeded({ userId: account.id, userName, address });
      return { accessToken, refreshToken };
    },

    async refresh(refreshToken) {
      const subject = await tokens.verify('refresh', refreshToken);
      const standing = await standings.now(subject);
      if (standing === undefined) {
        const message = `The user ${subject.userName} does not exist any more.`;
        throw new OakestraError('not-found', 'user-not-found', message);
      }
      requireValid(subject, standing);
      if (!standing.isMember) {
        throw refusal(
          'token-organisation-left',
          'You are no member of the organisation any more. Log in again.',
        );
      }
      // The roles of today (Q7).
      return { accessToken: await tokens.mint('access', { ...subject, roles: standing.roles }) };
    },

    async logout(refreshToken, address) {
      const subject = await tokens.verify('refresh', refreshToken);
      const { sessionId, userId, userName } = subject;
      const standing = await standings.now(subject);
      // Nothing is left to end.
      if (standing?.userId !== userId || standing.hasSessionEnded) return;
      const ended = {
        id_hash: hashOfSecret(sessionId),
        user_id: userId,
        expires_at_ms: clock.nowMs() + LONGEST_TOKEN_MS,
      };
      const object = { kind: 'user', id: userId, name: userName };
      await store.commit(
        [
          db.deleteFrom('ended_sessions').where('expires_at_ms', '<', clock.nowMs()),
          db
            .insertInto('ended_sessions')
            .values(ended)
            .onConflict((conflict) => conflict.column('id_hash').doNothing()),
          ...trail.of({ userId, userName, address }, { action: 'session.logout', object }),
        ],
        { durability: 'full' },
      );
      standings.forget();
    },

    async principalOf(accessToken) {
      const subject = await tokens.verify('access', accessToken);
      const standing = await standings.of(subject);
      if (standing === undefined) {
        const message = `The user ${subject.userName} of the token does not exist any more.`;
        throw refusal('token-user-gone', message);
      }
      requireValid(subject, standing);
      const { userId, roles, isMember, isInRootOrganisation } = standing;
      const { userName, organisationId } = subject;
      return { userId, userName, organisationId, roles, isMember, isInRootOrganisation, scopes: undefined };
    },
  };

  async function subjectFor(account: Account, organisationName: string): Promise<TokenSubject> {
    const organisation = await accounts.organisationByName(organisationName);
    if (organisation === undefined) {
      const message = `There is no organisation ${organisationName}.`;
      throw new OakestraError('not-found', 'organisation-not-found', message);
    }
    const sessionId = randomUUID();
    const { id: userId, name: userName } = account;
    const standing = await standings.now({ userName, organisationId: organisation.id, sessionId });
    if (standing?.isMember !== true) {
      throw new OakestraError(
        'forbidden',
        'organisation-not-joined',
        `The user ${userName} is not a member of the organisation ${organisationName}.`,
      );
    }
    const { roles, generation } = standing;
    return { userId, userName, organisationId: organisation.id, roles, generation, sessionId };
  }

  /** Imported hashes become ours when their password is seen (root-api 3.4). */
  async function renewHash({ id, passwordHash }: Account, password: string, address: string): Promise<void> {
    try {
      const renewed = await hasher.hash(password, networkOf(address));
      const update = db
        .updateTable('users')
        .set({ password_hash: renewed })
        .where('id', '=', id)
        .where('password_hash', '=', passwordHash);
      await store.commit([update], { durability: 'normal' });
    } catch (error) {
      logger.warn('the hash of a password was not renewed; the next login tries again', {
        userId: id,
        reason: messageOf(error),
      });
    }
  }
}

/** Another user of the same name is another user. */
function requireValid(subject: VerifiedToken, standing: Standing): void {
  const isOfUser = standing.userId === subject.userId && standing.generation === subject.generation;
  if (!isOfUser || standing.hasSessionEnded) {
    throw refusal('token-revoked', 'Token has been revoked');
  }
}

function wrongCredentials(): OakestraError {
  return new OakestraError(
    'unauthenticated',
    'credentials-wrong',
    'User name or password is wrong. The password of a new installation is in the file admin-password of the state folder.',
  );
}
