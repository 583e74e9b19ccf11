import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Clock, Logger, Random } from '@oakestra/daemon';
import { composeWorker, purgeWorker, type WorkerSettings, workerSettings } from '@oakestra/worker';
import { runTier } from './run-tier.ts';
import type { Machine, Tier } from './tier.ts';

export interface WorkerTier extends Tier<typeof workerSettings> {
  /**
   * Removes every instance of this worker, its images and its network. The worker must not run. Answers what could
   * not be removed.
   */
  purge(options: {
    readonly settings: WorkerSettings;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  }): Promise<readonly string[]>;
}

export const tier: WorkerTier = {
  role: 'worker',
  summary:
    'The worker joins a cluster and runs instances on this machine: containers with their network, limits and output.',
  settings: workerSettings,
  compose(context) {
    interpretOnly();
    const program = join(import.meta.dirname, 'oakestra.cjs');
    composeWorker({
      ...context,
      imagePullProgram: { command: process.execPath, args: [program, 'image-pull'] },
    });
  },
  purge: purgeWorker,
};

/**
 * A worker waits for the kernel and for containerd nearly all of its time. The optimizing compiler would make it no
 * faster in that, and takes 7 MiB with 20 instances. The engine wants this flag after the code cache was taken.
 */
function interpretOnly(): void {
  setFlagsFromString('--no-opt');
}

export const run = (argv: readonly string[], machine: Machine): Promise<number> =>
  runTier(tier, argv, machine);
