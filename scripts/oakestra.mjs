// `npm run oakestra -- …`: the program of this checkout, built when needed.
import { spawn } from 'node:child_process';
import { rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  consoleReport,
  ensureContainerd,
  PRIVATE_CONTAINERD,
  SetupError,
  stopPrivateContainerd,
} from './setup/index.mjs';
import { isThere, places } from './start/place.mjs';
import { checkMachine, ensureBuilt } from './start/preparations.mjs';

const report = consoleReport();

/** @param {readonly string[]} argv */
async function main(argv) {
  checkMachine(report);
  await ensureBuilt(report);
  const place = places({ ...process.env, ...stateDirectoryIn(argv) });
  const isPurge = argv[0] === 'down' && argv.includes('--purge') && !argv.includes('--help');
  // A containerd of our own belongs to the default state directory: another one must not take it away.
  const ours = isPurge && place.isDefault && isThere(PRIVATE_CONTAINERD.root);
  // Instances are removed through their containerd; it may have been stopped by a reboot.
  if (ours) await ensureContainerd({ report });
  const exitCode = await run(place.program, argv);
  if (isPurge && exitCode === 0) await removeOurs(place, ours);
  return exitCode;
}

/**
 * A state directory given as a flag counts more than that of the environment.
 * @param {readonly string[]} argv
 */
function stateDirectoryIn(argv) {
  const index = argv.findIndex((flag) => /^--state-directory(=|$)/.test(flag));
  const given = index === -1 ? undefined : (argv[index]?.split('=')[1] ?? argv[index + 1]);
  return given === undefined ? {} : { OAKESTRA_STATE_DIRECTORY: given };
}

/**
 * In the foreground, with our terminal. A Ctrl-C reaches it by itself; what is sent to us alone is passed on.
 * @param {string} program
 * @param {readonly string[]} argv
 * @returns {Promise<number>}
 */
function run(program, argv) {
  const child = spawn(process.execPath, [program, ...argv], { stdio: 'inherit' });
  process.on('SIGINT', () => {});
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

/**
 * What `npm start` made around the program.
 * @param {import('./start/place.mjs').Places} place
 * @param {boolean} hasContainerd
 */
async function removeOurs(place, hasContainerd) {
  if (hasContainerd) {
    await stopPrivateContainerd({ purge: true });
    console.log('Removed the containerd of our own.');
  }
  rmSync(place.registryDirectory, { recursive: true, force: true });
  for (const path of [place.logFile, `${place.logFile}.1`]) rmSync(path, { force: true });
  const folders = [join(place.logFile, '..'), place.stateDirectory, '/run/oakestra'];
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // Somebody else's files are in it, or it is gone.
    }
  }
}

main(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error) => {
    process.stderr.write(`${error instanceof SetupError ? error.message : error.stack}\n`);
    process.exitCode = 1;
  },
);
