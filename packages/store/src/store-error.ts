import { type ErrorKind, OakestraError } from '@oakestra/contracts';
import { primaryCode, sqliteCode } from './sqlite-failure.ts';
import type { Failure } from './thread-protocol.ts';

interface Meaning {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly say: (path: string, failure: Failure) => string;
}

const diskFull: Meaning = {
  kind: 'exhausted',
  code: 'store-disk-full',
  say: (path) => `No space left for the store ${path}. Free space on that disk; the store goes on by itself.`,
};
const ioFailed: Meaning = {
  kind: 'unavailable',
  code: 'store-io-failed',
  say: (path, { message }) =>
    `The disk of the store ${path} failed (${message}). Check the disk and the system log; the store tries again.`,
};
const cannotOpen: Meaning = {
  kind: 'unavailable',
  code: 'store-cannot-open',
  say: (path, { message }) =>
    `Cannot open the store ${path} (${message}). Check that the folder exists and belongs to this user.`,
};
const readOnly: Meaning = {
  kind: 'unavailable',
  code: 'store-read-only',
  say: (path) =>
    `The store ${path} cannot be written. Check the owner and mode of the file, and whether the disk is mounted read-only.`,
};
const damaged: Meaning = {
  kind: 'internal',
  code: 'store-damaged',
  say: (path, { message }) =>
    `The store ${path} is damaged (${message}). Stop the daemon, keep the file for analysis and restore a backup.`,
};

const bySqliteCode: Readonly<Record<number, Meaning>> = {
  [sqliteCode.full]: diskFull,
  [sqliteCode.ioError]: ioFailed,
  [sqliteCode.cannotOpen]: cannotOpen,
  [sqliteCode.readOnly]: readOnly,
  [sqliteCode.corrupt]: damaged,
  [sqliteCode.notADatabase]: damaged,
  [sqliteCode.busy]: {
    kind: 'conflict',
    code: 'store-in-use',
    say: (path) =>
      `The store ${path} is in use by another process. Stop the other daemon or choose another state folder.`,
  },
  [sqliteCode.outOfMemory]: {
    kind: 'exhausted',
    code: 'store-out-of-memory',
    say: (path) => `Not enough memory for a statement on the store ${path}. Read fewer rows at a time.`,
  },
  [sqliteCode.constraint]: {
    kind: 'conflict',
    code: 'store-constraint',
    say: (_path, { message }) => `The change contradicts what is stored: ${message}.`,
  },
  [sqliteCode.tooBig]: {
    kind: 'invalid',
    code: 'store-value-too-large',
    say: () => 'A value is too large to be stored.',
  },
};

const bySystemCode: Readonly<Record<string, Meaning>> = {
  ENOSPC: diskFull,
  EDQUOT: diskFull,
  EIO: ioFailed,
  EACCES: cannotOpen,
  EPERM: cannotOpen,
  ENOTDIR: cannotOpen,
  ENOENT: cannotOpen,
  EROFS: readOnly,
  EEXIST: cannotOpen,
};

const byReason: Readonly<Record<Failure['reason'], Meaning>> = {
  expectation: {
    kind: 'conflict',
    code: 'store-expectation',
    say: (_path, { message }) => `Nothing was stored: ${message}. Read the current state and decide again.`,
  },
  session: {
    kind: 'conflict',
    code: 'store-transaction-ended',
    say: (_path, { message }) => `The transaction cannot go on: ${message}.`,
  },
  'file-exists': {
    kind: 'conflict',
    code: 'store-file-exists',
    say: (_path, { message }) => `Nothing was written: ${message}. Choose another path.`,
  },
  'read-too-large': {
    kind: 'exhausted',
    code: 'store-read-too-large',
    say: (_path, { message }) => `A query found ${message}. Read page by page, ordered by a key.`,
  },
  sqlite: {
    kind: 'internal',
    code: 'store-query-failed',
    say: (_path, { message }) => `A statement of the store failed: ${message}.`,
  },
  system: ioFailed,
  internal: {
    kind: 'internal',
    code: 'store-query-failed',
    say: (_path, { message }) => `A statement of the store failed: ${message}.`,
  },
};

const writeInRead: Meaning = {
  kind: 'internal',
  code: 'store-read-tried-to-write',
  say: () => 'A query through `db` tried to change data: `db` only reads; hand the query to `commit`.',
};

function meaningOf(failure: Failure, purpose: 'read' | 'write'): Meaning {
  const code = primaryCode(failure);
  if (code === sqliteCode.readOnly && purpose === 'read') {
    return writeInRead;
  }
  return (
    (code === undefined ? undefined : bySqliteCode[code]) ??
    (failure.systemCode === undefined ? undefined : bySystemCode[failure.systemCode]) ??
    byReason[failure.reason]
  );
}

/** The error of our catalogue for what the thread reports. `path` is the store's file. */
export function storeError(failure: Failure, path: string, purpose: 'read' | 'write'): OakestraError {
  const { kind, code, say } = meaningOf(failure, purpose);
  const { sql, sqliteCode: resultCode, systemCode } = failure;
  return new OakestraError(kind, code, say(path, failure), {
    details: {
      path,
      ...(sql === undefined ? {} : { sql }),
      ...(resultCode === undefined ? {} : { sqliteCode: resultCode }),
      ...(systemCode === undefined ? {} : { systemCode }),
    },
  });
}

/** What a use of the store after its end gets. */
export function closedError(path: string): OakestraError {
  return new OakestraError('unavailable', 'store-closed', `The store ${path} is closed.`, {
    details: { path },
  });
}
