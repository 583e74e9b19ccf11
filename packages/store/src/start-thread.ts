import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { SHARE_ENV, Worker, type WorkerOptions } from 'node:worker_threads';
import type { ThreadSettings } from './thread-protocol.ts';

/** A ceiling above what the queue and the rows of one read may hold, not what the thread normally takes. */
const oldGenerationMib = 128;
const youngGenerationMib = 2;

/**
 * Starts the thread. A bundle has `sqlite-thread.cjs` beside it. Run from source, the thread loads TypeScript
 * through tsx, which does not take effect in a worker thread by way of `--import`.
 */
export function startSqliteThread(settings: ThreadSettings): Worker {
  const options: WorkerOptions = {
    name: 'store',
    workerData: settings,
    env: SHARE_ENV,
    execArgv: [],
    resourceLimits: {
      maxOldGenerationSizeMb: oldGenerationMib,
      maxYoungGenerationSizeMb: youngGenerationMib,
    },
  };
  const self = import.meta.url;
  if (!self.endsWith('.ts')) {
    return new Worker(new URL('./sqlite-thread.cjs', self), options);
  }
  const loader = JSON.stringify(createRequire(self).resolve('tsx/cjs/api'));
  const entry = JSON.stringify(fileURLToPath(new URL('./sqlite-thread.ts', self)));
  return new Worker(`require(${loader}).require(${entry}, ${entry})`, { ...options, eval: true });
}
