import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, LogFields, Logger, LogLevel, Random } from '@oakestra/daemon';
import type { Migrations } from './migrations.ts';
import { openSqliteStore, type SqliteStoreOptions } from './open-sqlite-store.ts';
import type { Store } from './store.ts';

// The ports of the store's own tests: real time, real randomness, a logger that remembers.

export const testClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

export const testRandom: Random = {
  bytes: (length) => randomBytes(length),
  fraction: () => Math.random(),
};

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Gives every line to `record`. */
export function recordingLogger(record: (line: LogLine) => void = () => {}): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      record({ level, message, fields });
    };
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}

/** Opens a store of the tests; `options` win over the defaults. */
export function openTestStore<Schema>(
  path: string,
  migrations: Migrations,
  options: Partial<SqliteStoreOptions> = {},
): Promise<Store<Schema>> {
  const ports = { logger: recordingLogger(), clock: testClock, random: testRandom };
  return openSqliteStore<Schema>({ path, migrations, ...ports, ...options });
}

/** A folder that `remove` deletes with all that is in it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'oakestra-store-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
