import type { Failure, FaultReason } from './thread-protocol.ts';

/** SQLite's primary result codes that lead to a decision. */
export const sqliteCode = {
  busy: 5,
  locked: 6,
  outOfMemory: 7,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  notADatabase: 26,
} as const;

/** The lower eight bits of an extended code name the class of the failure. */
export function primaryCode(failure: Failure): number | undefined {
  return failure.sqliteCode === undefined ? undefined : failure.sqliteCode & 0xff;
}

/** A failure that the store itself found, as opposed to SQLite or the operating system. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault';
  readonly reason: FaultReason;

  constructor(reason: FaultReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The plain facts of anything thrown inside the thread. */
export function failureOf(thrown: unknown, sql?: string): Failure {
  const withSql = sql === undefined ? {} : { sql };
  if (thrown instanceof StoreFault) {
    return { reason: thrown.reason, message: thrown.message, ...withSql };
  }
  if (!(thrown instanceof Error)) {
    return { reason: 'internal', message: String(thrown), ...withSql };
  }
  const { message } = thrown;
  const { errcode, code, syscall } = thrown as { errcode?: unknown; code?: unknown; syscall?: unknown };
  if (typeof errcode === 'number') {
    return { reason: 'sqlite', message, sqliteCode: errcode, ...withSql };
  }
  if (typeof code === 'string' && typeof syscall === 'string') {
    return { reason: 'system', message, systemCode: code, ...withSql };
  }
  return { reason: 'internal', message, ...withSql };
}
