import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DIST = new URL('../../../dist/', import.meta.url);
/** Everything that a worker loads; the engine and the programs of the system come from packages of the host. */
const WORKER_FILES = ['oakestra.cjs', 'worker.cjs', 'worker.cjs.cache', 'image-pull.cjs'];

/** What has to be installed for a worker, by file, in MiB. */
export function workerInstallation(): ReadonlyMap<string, number> {
  return new Map(
    WORKER_FILES.map((name) => [name, statSync(fileURLToPath(new URL(name, DIST))).size / 2 ** 20]),
  );
}

/** The engine that runs all of it. */
export function engineMib(): number {
  return statSync(process.execPath).size / 2 ** 20;
}
