import { createHash } from 'node:crypto';
import { OakestraError } from '@oakestra/contracts';
import { type Clock, createSerially } from '@oakestra/daemon';
import { expectChanges, type Migrations, type Store } from '@oakestra/store';

export interface IdempotencySchema {
  idempotency_keys: {
    /** `<user id>/<key>`. */
    id: string;
    fingerprint: string;
    /** JSON; null while nobody knows the outcome. */
    result: string | null;
    at_ms: number;
  };
}

export const idempotencyMigrations: Migrations = {
  '0002-idempotency-keys': {
    async up(db) {
      await db.schema
        .createTable('idempotency_keys')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('fingerprint', 'text', (column) => column.notNull())
        .addColumn('result', 'text')
        .addColumn('at_ms', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
};

export interface KeyedRequest {
  readonly userId: string;
  /** What the client calls it. */
  readonly key: string;
  readonly operation: string;
  /** Address and body: the same key with another request is a mistake of the client. */
  readonly request: string;
  /** The result must not be stored in any readable form. */
  readonly isSecret?: boolean;
}

/** Does what is asked under one key once, whatever the network repeats (`Idempotency-Key`). */
export interface IdempotencyKeys {
  /**
   * The result of the first time. A request that failed may be tried again. Rejects `idempotency-key-invalid`,
   * `idempotency-key-reused`, `outcome-unknown` when the root ended in the middle of the first time, and
   * `secret-shown-once` when the result is not kept.
   */
  once(request: KeyedRequest, action: () => Promise<unknown>): Promise<unknown>;
}

const KEPT_MS = 24 * 3_600_000;
const LONGEST_KEY = 200;
/** No JSON: no result looks like it. */
const SHOWN_ONCE = '(shown once)';

export function createIdempotencyKeys(store: Store<IdempotencySchema>, clock: Clock): IdempotencyKeys {
  const { db } = store;
  const serially = createSerially();

  const find = (id: string) =>
    db.selectFrom('idempotency_keys').selectAll().where('id', '=', id).executeTakeFirst();
  const forget = (id: string) => db.deleteFrom('idempotency_keys').where('id', '=', id);

  return {
    once({ userId, key, operation, request, isSecret = false }, action) {
      if (key === '' || key.length > LONGEST_KEY) {
        throw new OakestraError(
          'invalid',
          'idempotency-key-invalid',
          `Idempotency-Key: 1 to ${LONGEST_KEY} characters.`,
        );
      }
      const id = `${userId}/${key}`;
      const fingerprint = createHash('sha256').update(`${operation}\n${request}`).digest('base64url');
      return serially(id, async () => {
        const known = await find(id);
        const isFresh = known !== undefined && clock.nowMs() - Number(known.at_ms) < KEPT_MS;
        if (known !== undefined && isFresh) return resultOf(known, fingerprint);
        await store.commit(
          [
            db.deleteFrom('idempotency_keys').where('at_ms', '<', clock.nowMs() - KEPT_MS),
            db.insertInto('idempotency_keys').values({ id, fingerprint, result: null, at_ms: clock.nowMs() }),
          ],
          { durability: 'full' },
        );
        let result: unknown;
        try {
          result = await action();
        } catch (error) {
          // Nothing was done, unless nobody knows.
          if (!isUnclear(error)) await store.commit([forget(id)], { durability: 'full' });
          throw error;
        }
        const text = isSecret ? SHOWN_ONCE : JSON.stringify(result ?? null);
        await store.commit(
          [expectChanges(db.updateTable('idempotency_keys').set({ result: text }).where('id', '=', id))],
          { durability: 'full' },
        );
        return result;
      });
    },
  };
}

function resultOf(known: IdempotencySchema['idempotency_keys'], fingerprint: string): unknown {
  if (known.fingerprint !== fingerprint) {
    throw new OakestraError(
      'conflict',
      'idempotency-key-reused',
      'Idempotency-Key: it was used for another request; take a new one.',
    );
  }
  if (known.result === SHOWN_ONCE) {
    throw new OakestraError(
      'conflict',
      'secret-shown-once',
      'It was done the first time, and its secret is not kept: revoke what was made, and ask again with a new Idempotency-Key.',
    );
  }
  if (known.result !== null) return JSON.parse(known.result) as unknown;
  throw new OakestraError(
    'conflict',
    'outcome-unknown',
    'The root ended while it did this the first time. Read the state, then decide, with a new Idempotency-Key.',
  );
}

function isUnclear(error: unknown): boolean {
  return !(error instanceof OakestraError) || ['unavailable', 'timeout', 'internal'].includes(error.kind);
}
