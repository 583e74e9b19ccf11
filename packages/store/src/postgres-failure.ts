import { type ErrorKind, messageOf, OakestraError } from '@oakestra/contracts';
import { DatabaseError } from 'pg';
import { ConnectionLost } from './postgres-pipeline.ts';
import { failureOf, StoreFault } from './sqlite-failure.ts';
import { storeError } from './store-error.ts';

interface Meaning {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly say: (store: string, message: string) => string;
}

const constraint: Meaning = {
  kind: 'conflict',
  code: 'store-constraint',
  say: (_store, message) => `The change contradicts what is stored: ${message}.`,
};
const contention: Meaning = {
  kind: 'conflict',
  code: 'store-contention',
  say: (store) => `Others changed the same rows of the store ${store} again and again. Try again later.`,
};
const cannotOpen: Meaning = {
  kind: 'unavailable',
  code: 'store-cannot-open',
  say: (store, message) =>
    `Cannot open the store ${store} (${message}). Check the address, user, password and database in its URL.`,
};
const lost: Meaning = {
  kind: 'unavailable',
  code: 'store-connection-lost',
  say: (store, message) =>
    `The connection to the store ${store} was lost (${message}). The next request opens a new one; what was not ` +
    'acknowledged may or may not have been stored.',
};
const readOnly: Meaning = {
  kind: 'unavailable',
  code: 'store-read-only',
  say: (store) => `The store ${store} cannot be written. Check that its URL names the primary server.`,
};
const writeInRead: Meaning = {
  kind: 'internal',
  code: 'store-read-tried-to-write',
  say: () => 'A query through `db` tried to change data: `db` only reads; hand the query to `commit`.',
};
const tooLarge: Meaning = {
  kind: 'invalid',
  code: 'store-value-too-large',
  say: (_store, message) => `A value is too large to be stored: ${message}.`,
};
const queryFailed: Meaning = {
  kind: 'internal',
  code: 'store-query-failed',
  say: (_store, message) => `A statement of the store failed: ${message}.`,
};

/** By SQLSTATE, or by its first two characters, the class. */
const byState: Readonly<Record<string, Meaning>> = {
  '08': lost,
  '22003': tooLarge,
  '23': constraint,
  '28': cannotOpen,
  '3D000': cannotOpen,
  '40': contention,
  '42501': {
    kind: 'unavailable',
    code: 'store-not-permitted',
    say: (store, message) =>
      `The user of the store ${store} lacks a right (${message}). Grant it, or make it the owner of the database.`,
  },
  '53': {
    kind: 'exhausted',
    code: 'store-server-exhausted',
    say: (store, message) =>
      `The server of the store ${store} has reached a limit (${message}). Try again later.`,
  },
  '53100': {
    kind: 'exhausted',
    code: 'store-disk-full',
    say: (store) =>
      `No space left for the store ${store}. Free space on its server; the store goes on by itself.`,
  },
  '53200': {
    kind: 'exhausted',
    code: 'store-out-of-memory',
    say: (store) => `Not enough memory for a statement on the store ${store}. Read fewer rows at a time.`,
  },
  '54': tooLarge,
  '55P03': {
    kind: 'timeout',
    code: 'store-lock-timeout',
    say: (store) => `Another program locks rows of the store ${store} for too long. Try again later.`,
  },
  '57': lost,
  '57014': {
    kind: 'timeout',
    code: 'store-statement-timeout',
    say: (store) =>
      `A statement on the store ${store} took too long and was undone. Try again, or read less at a time.`,
  },
  '58': {
    kind: 'unavailable',
    code: 'store-io-failed',
    say: (store, message) =>
      `The disk of the store ${store} failed (${message}). Check the server's disk and log; the store tries again.`,
  },
  XX001: {
    kind: 'internal',
    code: 'store-damaged',
    say: (store, message) => `The store ${store} is damaged (${message}). Restore a backup of the database.`,
  },
};

export interface FailureContext {
  /** The address of the store, without secrets. */
  readonly store: string;
  readonly purpose: 'connect' | 'read' | 'write';
  readonly sql?: string | undefined;
  /** Removed from what others say, should they say it. */
  readonly secrets: readonly string[];
}

function meaningOf(thrown: unknown, purpose: FailureContext['purpose']): Meaning {
  if (thrown instanceof ConnectionLost) {
    return lost;
  }
  if (!(thrown instanceof DatabaseError)) {
    return purpose === 'connect' ? cannotOpen : queryFailed;
  }
  const state = thrown.code ?? '';
  if (state === '25006') {
    return purpose === 'read' ? writeInRead : readOnly;
  }
  const found = byState[state] ?? byState[state.slice(0, 2)] ?? queryFailed;
  return purpose === 'connect' && found === lost ? cannotOpen : found;
}

/** Whether nothing of a transaction was applied and the same again may succeed. */
export function isContention(error: unknown): boolean {
  return error instanceof OakestraError && error.code === contention.code;
}

/** The error of our catalogue for what the server or the connection to it said. */
export function postgresError(thrown: unknown, context: FailureContext): OakestraError {
  const { store, purpose, sql, secrets } = context;
  if (thrown instanceof OakestraError) {
    return thrown;
  }
  if (thrown instanceof StoreFault) {
    return storeError(failureOf(thrown, sql), store, purpose === 'read' ? 'read' : 'write');
  }
  const { kind, code, say } = meaningOf(thrown, purpose);
  let message = messageOf(thrown);
  for (const secret of secrets) {
    message = message.replaceAll(secret, '********');
  }
  // Not `cause`: details of the server may quote values of rows.
  return new OakestraError(kind, code, say(store, message), {
    details: {
      store,
      ...(sql === undefined ? {} : { sql }),
      ...(thrown instanceof DatabaseError ? { sqlState: thrown.code } : {}),
    },
  });
}
