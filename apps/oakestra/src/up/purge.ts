import { existsSync, rmSync } from 'node:fs';
import { type Clock, LockHeldError, type Logger, lockStateDirectory, type Random } from '@oakestra/daemon';
import { ROLES } from '../tier.ts';
import type { WorkerTier } from '../worker-bundle.ts';
import { upPaths } from './paths.ts';
import { removeIfEmpty, removeStateFolder } from './state-folders.ts';
import { type Tiers, tierValues, type UpValues } from './up-settings.ts';

export interface PurgeOptions {
  readonly tiers: Tiers & { readonly worker: WorkerTier };
  readonly values: UpValues;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly print: (text: string) => void;
}

/** Removes every trace of a stopped `up`. Returns what could not be removed, and why. */
export async function purge(options: PurgeOptions): Promise<readonly string[]> {
  const { tiers, values, print } = options;
  const folders = ROLES.map((role) => ({ role, path: String(values[`${role}StateDirectory`]) }));
  const inUse = await findInUse(folders.map(({ path }) => path));
  if (inUse.length > 0) return inUse;

  const failures = [
    ...(await tiers.worker.purge({ ...options, settings: tierValues(tiers.worker, values) })),
  ];
  if (failures.length === 0) print('No instance, image, network or control group is left.\n');
  for (const { role, path } of folders) {
    // What the worker noted about its instances is needed as long as some of them are left.
    if (role === 'worker' && failures.length > 0) continue;
    const outcome = removeStateFolder(path);
    if (outcome === 'removed') print(`Removed ${path}.\n`);
    if (outcome === 'foreign') {
      failures.push(
        `state: "up" did not make ${path}, so it stays; remove it yourself if nothing else needs it`,
      );
    }
  }
  if (failures.length === 0) {
    const { pidFile, settingsFile, lockFile } = upPaths(values.stateDirectory);
    for (const path of [pidFile, settingsFile, lockFile]) rmSync(path, { force: true });
    removeIfEmpty(values.stateDirectory);
  }
  return failures;
}

/** Tiers that were started by themselves and still run on the same state. */
async function findInUse(paths: readonly string[]): Promise<string[]> {
  const complaints: string[] = [];
  for (const path of paths.filter((candidate) => existsSync(candidate))) {
    try {
      const lock = await lockStateDirectory(path);
      await lock.release();
    } catch (error) {
      if (!(error instanceof LockHeldError)) throw error;
      complaints.push(error.message);
    }
  }
  return complaints;
}
