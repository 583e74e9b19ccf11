import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@oakestra/contracts';
import type { Clock, Logger, Random } from '@oakestra/daemon';
import { readCgroupLayout, removeCgroup } from '@oakestra/host';
import { openRuntime } from './open-runtime.ts';
import { createLocalNetwork } from './overlay/index.ts';
import { valueFolderOf, type WorkerSettings } from './settings.ts';
import { removeMemoryFolder } from './values/index.ts';

/**
 * Removes every instance of this worker, its images and its network; the folder of its state is the caller's. The worker must not run. Goes on
 * when a part fails, and answers what could not be removed.
 */
export async function purgeWorker(options: {
  readonly settings: WorkerSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}): Promise<readonly string[]> {
  const { settings, clock, logger } = options;
  const failures: string[] = [];
  const attempt = async (what: string, action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      failures.push(`${what}: ${messageOf(error)}`);
    }
  };
  // Where no worker ever ran, a missing containerd is nothing to complain about.
  if (existsSync(settings.containerdSocket) || existsSync(join(settings.stateDirectory, 'journal'))) {
    await removeInstances(options, attempt);
  }
  await attempt('control groups', async () => {
    const layout = await readCgroupLayout();
    if (layout !== undefined) await removeCgroup(layout, settings.cgroupParent);
  });
  await attempt('network', async () => {
    const { subnet, bridgeName, networkPrefix } = settings;
    const network = createLocalNetwork({ clock, logger, subnet, bridgeName, namePrefix: networkPrefix });
    await network.purge();
    await network.close();
  });
  await attempt('files of secrets', () => removeMemoryFolder(valueFolderOf(settings)));
  return failures;
}

type Attempt = (what: string, action: () => Promise<void>) => Promise<void>;

async function removeInstances(options: Parameters<typeof purgeWorker>[0], attempt: Attempt): Promise<void> {
  // Nothing is pulled while purging.
  const opened = await openRuntime({ ...options, imagePullProgram: { command: process.execPath, args: [] } });
  await attempt('instances', async () => {
    const instances = await opened.runtime.list();
    await Promise.all(instances.map((instance) => opened.runtime.remove(instance.id)));
  });
  await attempt('images', () => opened.images.removeEverything());
  await opened.close();
}
