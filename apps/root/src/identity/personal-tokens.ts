import { OakestraError } from '@oakestra/contracts';
import { type Clock, newId, type Random } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import type { Trail } from './audit-trail.ts';
import { ROOT_ORGANISATION } from './default-admin.ts';
import { type Caller, hasScope, type Principal, SCOPES, type Scope } from './principal.ts';
import type { IdentitySchema } from './schema.ts';
import { hashOfSecret, newSecret } from './secrets.ts';
import { createShortCache, type ShortCache } from './short-cache.ts';
import { refusal } from './tokens.ts';

/** A personal access token as it is listed; the token itself was shown once. */
export interface PersonalToken {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Where it acts; roles are those that its user has there at the time of the request. */
  readonly organisationId: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface NewPersonalToken {
  /** Unique per user. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** At most a year ahead. Default 90 days. */
  readonly expiresAtMs?: number;
}

/** Tokens for scripts, of the user who asks. Made by a login only: a token cannot beget another. */
export interface PersonalTokens {
  /** Rejects `personal-token-invalid`, `personal-token-exists`, `login-needed`. */
  create(token: NewPersonalToken, by: Caller): Promise<{ readonly token: string } & PersonalToken>;
  list(by: Principal): Promise<readonly PersonalToken[]>;
  /** Counts at once. Rejects `personal-token-not-found`. */
  revoke(id: string, by: Caller): Promise<void>;
}

export interface PersonalTokenDoor extends PersonalTokens {
  /** Rejects `token-*` as `Identity.authenticate` does. */
  principalOf(token: string): Promise<Principal>;
  forget(): void;
}

const PREFIX = 'oak_';
const DAY_MS = 24 * 3600 * 1000;
const DEFAULT_LIFE_MS = 90 * DAY_MS;
const LONGEST_LIFE_MS = 366 * DAY_MS;
const LONGEST_NAME = 100;
const MOST_PER_USER = 100;

export const isPersonalToken = (token: string): boolean => token.startsWith(PREFIX);

interface Parts {
  readonly store: Store<IdentitySchema>;
  readonly clock: Clock;
  readonly random: Random;
  readonly trail: Trail;
}

type Found = { readonly principal: Principal; readonly expiresAtMs: number } | undefined;

export function createPersonalTokens({ store, clock, random, trail }: Parts): PersonalTokenDoor {
  const { db } = store;
  const cache: ShortCache<Found> = createShortCache({ clock, keptMs: 1_000, mostKept: 5_000 });

  return {
    async create({ name, scopes, expiresAtMs = clock.nowMs() + DEFAULT_LIFE_MS }, by) {
      requireLogin(by);
      requireValid(name, scopes, expiresAtMs);
      const own = await rowsOf(by.userId);
      if (own.length >= MOST_PER_USER) {
        throw invalid(`You have ${own.length} personal access tokens; revoke some first.`);
      }
      const token = PREFIX + newSecret(random);
      const row = {
        ...{ id: newId(random), user_id: by.userId, organisation_id: by.organisationId, name },
        ...{ token_hash: hashOfSecret(token), scopes: JSON.stringify([...new Set(scopes)]) },
        ...{ created_at_ms: clock.nowMs(), expires_at_ms: expiresAtMs },
      };
      const outdated = db
        .deleteFrom('personal_tokens')
        .where('user_id', '=', by.userId)
        .where('expires_at_ms', '<', clock.nowMs());
      const object = { kind: 'personal-token', id: row.id, name };
      const event = { action: 'personal-token.create', object, details: { scopes } };
      try {
        await store.commit([outdated, db.insertInto('personal_tokens').values(row), ...trail.of(by, event)], {
          durability: 'full',
        });
      } catch (cause) {
        if (!(cause instanceof OakestraError) || cause.code !== 'store-constraint') throw cause;
        const message = `You have a personal access token with the name ${name} already; choose another one.`;
        throw new OakestraError('conflict', 'personal-token-exists', message, { cause });
      }
      return { token, ...tokenFrom(row) };
    },
    async list({ userId }) {
      return (await rowsOf(userId)).map(tokenFrom);
    },
    async revoke(id, by) {
      const row = (await rowsOf(by.userId)).find((candidate) => candidate.id === id);
      if (row === undefined) {
        const message = `You have no personal access token with the id ${id}.`;
        throw new OakestraError('not-found', 'personal-token-not-found', message);
      }
      const event = {
        action: 'personal-token.revoke',
        object: { kind: 'personal-token', id, name: row.name },
      };
      await store.commit([db.deleteFrom('personal_tokens').where('id', '=', id), ...trail.of(by, event)], {
        durability: 'full',
      });
      cache.clear();
    },
    async principalOf(token) {
      const hash = hashOfSecret(token);
      const found = await cache.get(hash, () => find(hash));
      if (found === undefined)
        throw refusal('token-unknown', 'The personal access token is unknown or revoked');
      if (found.expiresAtMs <= clock.nowMs()) throw refusal('token-expired', 'Token has expired');
      return found.principal;
    },
    forget: () => cache.clear(),
  };

  function rowsOf(userId: string) {
    return db
      .selectFrom('personal_tokens')
      .selectAll()
      .where('user_id', '=', userId)
      .orderBy('name')
      .execute();
  }

  async function find(hash: string): Promise<Found> {
    const row = await db
      .selectFrom('personal_tokens')
      .innerJoin('users', 'users.id', 'personal_tokens.user_id')
      .innerJoin('organisations', 'organisations.id', 'personal_tokens.organisation_id')
      .leftJoin('memberships', (join) =>
        join
          .onRef('memberships.user_id', '=', 'personal_tokens.user_id')
          .onRef('memberships.organisation_id', '=', 'personal_tokens.organisation_id'),
      )
      .where('personal_tokens.token_hash', '=', hash)
      .select(['personal_tokens.user_id', 'personal_tokens.organisation_id', 'personal_tokens.scopes'])
      .select(['personal_tokens.expires_at_ms', 'users.name', 'memberships.roles'])
      .select('organisations.name as organisation')
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const scopes = JSON.parse(row.scopes) as Scope[];
    const roles = row.roles === null ? [] : (JSON.parse(row.roles) as string[]);
    const mayAdminister = hasScope(scopes, 'admin');
    const principal = {
      ...{ userId: row.user_id, userName: row.name, organisationId: row.organisation_id, scopes },
      roles: roles.filter((role) => role !== 'Admin' || mayAdminister),
      isMember: row.roles !== null,
      isInRootOrganisation: row.organisation === ROOT_ORGANISATION,
    };
    return { principal, expiresAtMs: Number(row.expires_at_ms) };
  }

  function requireValid(name: string, scopes: readonly Scope[], expiresAtMs: number): void {
    if (name.trim() === '' || name.length > LONGEST_NAME) {
      throw invalid(`name: a personal access token needs a name of up to ${LONGEST_NAME} characters.`);
    }
    if (scopes.length === 0 || scopes.some((scope) => !SCOPES.includes(scope))) {
      throw invalid(`scopes: give one or more of ${SCOPES.join(', ')}.`);
    }
    const lifeMs = expiresAtMs - clock.nowMs();
    if (!(lifeMs > 0) || lifeMs > LONGEST_LIFE_MS) {
      throw invalid('expiresAtMs: must be in the future, at most a year ahead.');
    }
  }
}

/** What decides over an account needs its owner, not a script that was given a part of the rights. */
export function requireLogin({ scopes }: Principal): void {
  if (scopes === undefined) return;
  const message = 'A personal access token cannot do this; log in with your password.';
  throw new OakestraError('forbidden', 'login-needed', message);
}

function tokenFrom(row: IdentitySchema['personal_tokens']): PersonalToken {
  return {
    id: row.id,
    name: row.name,
    scopes: JSON.parse(row.scopes) as Scope[],
    organisationId: row.organisation_id,
    createdAtMs: Number(row.created_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
  };
}

function invalid(message: string): OakestraError {
  return new OakestraError('invalid', 'personal-token-invalid', message);
}
