import { spawn } from 'node:child_process';
import { statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from '../setup/index.mjs';
import { REPOSITORY } from './place.mjs';

/** npm writes it at the end of each installation. */
const MARK = join(REPOSITORY, 'node_modules/.package-lock.json');
const LOCKFILE = join(REPOSITORY, 'package-lock.json');

/**
 * Installs the npm packages when there are none, or when the lockfile is newer than they are.
 * @param {import('../setup/index.mjs').Report} report
 * @returns {Promise<boolean>} whether anything was installed
 */
export async function ensureDependencies(report) {
  const installedMs = modifiedMs(MARK);
  if (installedMs !== undefined && installedMs >= (modifiedMs(LOCKFILE) ?? 0)) return false;
  report.step('Installing the npm packages of the lockfile (npm ci); this takes a minute or two');
  const startedMs = performance.now();
  const ticker = setInterval(() => {
    report.detail(`still installing, ${Math.round((performance.now() - startedMs) / 1000)} s`);
  }, 15_000);
  try {
    await npmCi();
  } finally {
    clearInterval(ticker);
  }
  // What npm leaves untouched because it is right already must not look old for ever.
  const now = new Date();
  utimesSync(MARK, now, now);
  return true;
}

function npmCi() {
  // npm sets npm_execpath for its scripts: the same npm that the person uses.
  const npm = process.env.npm_execpath;
  const [command, args] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: REPOSITORY,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', (cause) =>
      reject(
        new SetupError(`npm could not be started (${cause.message}). Install npm and start again.`, {
          cause,
        }),
      ),
    );
    child.once('exit', (code) =>
      code === 0
        ? resolve(undefined)
        : reject(
            new SetupError(
              'npm ci failed; its message is above. Check the network and the registry of npm ("npm config get registry"), then start again.',
            ),
          ),
    );
  });
}

/** @param {string} path */
function modifiedMs(path) {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}
