import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { Clock, Logger } from '@oakestra/daemon';
import type { ThreadClient } from './thread-client.ts';

const keptBackups = 3;

export interface UpgradeBackupOptions {
  readonly path: string;
  readonly thread: ThreadClient;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Keeps what the store is before its schema changes, checked, beside it; the last three of them. */
export async function keepUpgradeBackup({
  path,
  thread,
  logger,
  clock,
}: UpgradeBackupOptions): Promise<void> {
  const mark = new Date(clock.nowMs()).toISOString();
  const prefix = `${path}.before-upgrade-`;
  const backup = prefix + mark.replaceAll(':', '-');
  try {
    await thread.request({ kind: 'backup', path: backup, mark });
  } catch (thrown) {
    const { kind, code, details } =
      thrown instanceof OakestraError
        ? thrown
        : ({ kind: 'internal', code: 'store-backup-failed', details: {} } as const);
    throw new OakestraError(
      kind,
      code,
      `The store ${path} was not upgraded, because the backup before it failed: ${messageOf(thrown)}`,
      { cause: thrown, details },
    );
  }
  logger.info('kept a backup of the store before the upgrade of its schema', { path, backup });
  await removeOldBackups(prefix, logger);
}

async function removeOldBackups(prefix: string, logger: Logger): Promise<void> {
  const folder = dirname(prefix);
  try {
    const names = (await readdir(folder)).filter((name) => name.startsWith(basename(prefix)));
    for (const name of names.sort().slice(0, -keptBackups)) {
      await rm(join(folder, name));
      logger.info('removed an old backup of the store', { backup: join(folder, name) });
    }
  } catch (error) {
    logger.warn('old backups of the store were not removed', { folder, reason: messageOf(error) });
  }
}
