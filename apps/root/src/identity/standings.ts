import type { Clock } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import { ROOT_ORGANISATION } from './default-admin.ts';
import type { IdentitySchema } from './schema.ts';
import { hashOfSecret } from './secrets.ts';
import { createShortCache, type ShortCache } from './short-cache.ts';

/** What is true today of the user of a token. */
export interface Standing {
  readonly userId: string;
  readonly generation: number;
  readonly roles: readonly string[];
  readonly isMember: boolean;
  readonly isInRootOrganisation: boolean;
  readonly hasSessionEnded: boolean;
}

interface Session {
  readonly userName: string;
  readonly organisationId: string;
  readonly sessionId: string;
}

/**
 * Read at each request, with one query, and remembered for a second: a change that this root makes counts at
 * once (`forget`), one of another root on the same store within that second.
 */
export interface Standings {
  /** `undefined`: there is no such user any more. */
  of(session: Session): Promise<Standing | undefined>;
  /** Read at this moment, for what gives new rights. */
  now(session: Session): Promise<Standing | undefined>;
  forget(): void;
}

const KEPT_MS = 1_000;
const MOST_KEPT = 5_000;

export function createStandings({ db }: Store<IdentitySchema>, clock: Clock): Standings {
  const cache: ShortCache<Standing | undefined> = createShortCache({
    clock,
    keptMs: KEPT_MS,
    mostKept: MOST_KEPT,
  });

  async function read({ userName, organisationId, sessionId }: Session): Promise<Standing | undefined> {
    const row = await db
      .selectFrom('users')
      .leftJoin('memberships', (join) =>
        join
          .onRef('memberships.user_id', '=', 'users.id')
          .on('memberships.organisation_id', '=', organisationId),
      )
      .leftJoin('organisations', 'organisations.id', 'memberships.organisation_id')
      .leftJoin('ended_sessions', (join) => join.on('ended_sessions.id_hash', '=', hashOfSecret(sessionId)))
      .where('users.name', '=', userName)
      .select(['users.id', 'users.token_generation', 'memberships.roles'])
      .select(['organisations.name as organisation', 'ended_sessions.id_hash as ended'])
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return {
      userId: row.id,
      generation: Number(row.token_generation),
      roles: row.roles === null ? [] : (JSON.parse(row.roles) as string[]),
      isMember: row.roles !== null,
      isInRootOrganisation: row.organisation === ROOT_ORGANISATION,
      hasSessionEnded: row.ended !== null,
    };
  }

  return {
    of: (session) =>
      cache.get(`${session.userName}\0${session.organisationId}\0${session.sessionId}`, () => read(session)),
    now: read,
    forget: () => cache.clear(),
  };
}
