// Where `npm start` keeps and finds things. Everything can be moved by environment, for tests and second installations.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from '../setup/index.mjs';

export const REPOSITORY = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DEFAULT_STATE_DIRECTORY = '/var/lib/oakestra';
const DEFAULT_LOG_DIRECTORY = '/var/log/oakestra';

/** @param {NodeJS.ProcessEnv} [env] */
export function places(env = process.env) {
  const stateDirectory = env.OAKESTRA_STATE_DIRECTORY || DEFAULT_STATE_DIRECTORY;
  const isDefault = stateDirectory === DEFAULT_STATE_DIRECTORY;
  return {
    stateDirectory,
    isDefault,
    /** Of the daemons. */
    logFile: join(isDefault ? DEFAULT_LOG_DIRECTORY : stateDirectory, 'up.log'),
    pidFile: join(stateDirectory, 'oakestra.pid'),
    /** What the registry of the demo holds. */
    registryDirectory: join(stateDirectory, 'registry'),
    demoDirectory: join(REPOSITORY, 'examples/demo'),
    cacheDirectory: join(REPOSITORY, '.cache/images'),
    program: join(REPOSITORY, 'dist/oakestra.cjs'),
  };
}

/** @typedef {ReturnType<typeof places>} Places */

/**
 * A port from the environment.
 * @param {string} name
 * @param {number} fallback
 */
export function portFrom(name, fallback) {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new SetupError(`${name}=${text} is no port: give a number from 1 to 65535.`);
}

/** @param {string} path */
export function isThere(path) {
  return existsSync(path);
}
