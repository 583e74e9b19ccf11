import { chmod, copyFile, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { Clock, Logger } from '@oakestra/daemon';
import { type Kysely, sql } from 'kysely';
import { kyselyOver } from './dialect.ts';
import { assign, type MetaSchema, metaKey, readFacts } from './incarnation.ts';
import { type Migrations, planUpgrade } from './migrations.ts';
import { compileStatement } from './statement.ts';
import { createThreadClient, type ThreadClient } from './thread-client.ts';

/** What SQLite may keep beside a database. */
const companions = ['', '-wal', '-shm', '-journal'] as const;

export interface RestoreOptions {
  /** Those of the program that will open the store: a backup that it could not use is refused. */
  readonly migrations: Migrations;
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long to wait for a process that still has the store open. Default 0. */
  readonly busyTimeoutMs?: number;
}

export interface RestoreResult {
  /** Where the replaced store is now; undefined where there was none. */
  readonly replacedPath: string | undefined;
}

function invalidBackup(path: string, why: string): OakestraError {
  const text = `The file ${path} was not restored: ${why}. Choose a backup that this program wrote.`;
  return new OakestraError('invalid', 'store-backup-unusable', text, { details: { path } });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

async function withThread<T>(
  path: string,
  { logger, clock, busyTimeoutMs = 0 }: RestoreOptions,
  work: (thread: ThreadClient) => Promise<T>,
): Promise<T> {
  const thread = createThreadClient({ settings: { path, busyTimeoutMs, syncDelayMs: 0 }, logger, clock });
  try {
    return await work(thread);
  } finally {
    await thread.close();
  }
}

/** Fails unless the copy is whole, ours, and of a version that we can use; marks it so that its opener notices. */
async function checkCopy(copy: string, backupPath: string, options: RestoreOptions): Promise<void> {
  await withThread(copy, options, async (thread) => {
    const db: Kysely<MetaSchema> = kyselyOver({
      run: (statement) => thread.request({ kind: 'read', statement }),
    });
    const { rows } = await sql<{ integrity_check: string }>`PRAGMA integrity_check(1)`.execute(db);
    if (rows[0]?.integrity_check !== 'ok') {
      throw invalidBackup(backupPath, `it is damaged (${rows[0]?.integrity_check})`);
    }
    const facts = await readFacts(db);
    if (facts?.get(metaKey.incarnation) === undefined) {
      throw invalidBackup(backupPath, 'it is not a store of ours');
    }
    await planUpgrade({
      db: db as unknown as Kysely<unknown>,
      migrations: options.migrations,
      path: backupPath,
      logger: options.logger,
      compatibleFrom: facts.get(metaKey.compatibleFrom),
    });
    const mark = assign(db, metaKey.backup, new Date(options.clock.nowMs()).toISOString());
    await thread.request({ kind: 'commit', statements: [compileStatement(mark)], durability: 'full' });
  });
}

/** Fails while a process has the store open; a damaged one may be replaced. */
async function checkUnused(path: string, options: RestoreOptions): Promise<void> {
  try {
    await withThread(path, options, (thread) =>
      thread.request({ kind: 'read', statement: { sql: 'SELECT 1', parameters: [] } }),
    );
  } catch (error) {
    if (!(error instanceof OakestraError && error.code === 'store-damaged')) {
      throw error;
    }
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Moves a database with all that belongs to it; on failure everything is where it was. */
async function moveAside(path: string, target: string): Promise<void> {
  const moved: (typeof companions)[number][] = [];
  try {
    for (const companion of companions) {
      if (await exists(path + companion)) {
        await rename(path + companion, target + companion);
        moved.push(companion);
      }
    }
  } catch (error) {
    for (const companion of moved) {
      await rename(target + companion, path + companion);
    }
    throw error;
  }
}

async function putInPlace(copy: string, path: string, aside: string | undefined): Promise<void> {
  if (aside !== undefined) {
    await moveAside(path, aside);
  }
  try {
    await rename(copy, path);
  } catch (error) {
    if (aside !== undefined) {
      await moveAside(aside, path);
    }
    throw error;
  }
  await syncFolder(path);
}

/**
 * Replaces the store at `path` by a backup. The backup stays as it is, and so does what it replaces, under another
 * name. Nothing changes when it fails: `store-backup-unusable`, `store-newer-than-program`, `store-in-use` while a
 * process has the store open, or what the disk says. The restored store takes a new incarnation.
 */
export async function restoreFrom(
  backupPath: string,
  path: string,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const [source, target] = [resolve(backupPath), resolve(path)];
  if (source === target) {
    throw invalidBackup(source, 'it is the store itself');
  }
  if (!(await exists(source))) {
    throw invalidBackup(source, 'it does not exist');
  }
  if (((await stat(`${source}-wal`).catch(() => undefined))?.size ?? 0) > 0) {
    throw invalidBackup(source, 'it is in use, or a copy of a store in use');
  }
  const copy = `${target}.restoring`;
  const hasStore = await exists(target);
  const replacedPath = hasStore
    ? `${target}.replaced-${new Date(options.clock.nowMs()).toISOString().replaceAll(':', '-')}`
    : undefined;
  try {
    if (hasStore) {
      await checkUnused(target, options);
    }
    await copyFile(source, copy);
    await chmod(copy, 0o600);
    await checkCopy(copy, source, options).catch((error: unknown) => {
      throw error instanceof OakestraError && error.code === 'store-damaged'
        ? invalidBackup(source, messageOf(error))
        : error;
    });
    await putInPlace(copy, target, replacedPath);
  } catch (error) {
    for (const companion of companions) {
      await rm(copy + companion, { force: true });
    }
    throw fromSystem(error, target);
  }
  options.logger.warn('restored the store from a backup', { path: target, backup: source, replacedPath });
  return { replacedPath };
}

function fromSystem(error: unknown, path: string): OakestraError {
  if (error instanceof OakestraError) {
    return error;
  }
  const text = `The store ${path} was not restored (${messageOf(error)}). Check the folder and its disk.`;
  return new OakestraError('unavailable', 'store-io-failed', text, { cause: error, details: { path } });
}
