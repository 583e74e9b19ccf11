// `npm start`: from a fresh clone to a demo that answers. Needs nothing but Node.js at its beginning.
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import {
  consoleReport,
  ensureContainerd,
  ensureDebianPackages,
  RUN_PACKAGES,
  SetupError,
} from './setup/index.mjs';
import { connectApi } from './start/api.mjs';
import { startDaemons } from './start/daemons.mjs';
import { ensureDemo, serveDemoImage } from './start/demo.mjs';
import { places } from './start/place.mjs';
import { checkMachine, ensureBuilt } from './start/preparations.mjs';

const report = consoleReport();

/** What has to be taken down again, last one first. @type {(() => Promise<void>)[]} */
const closers = [];
let isStopping = false;

/** @param {readonly string[]} flags further ones for `oakestra up` */
async function main(flags) {
  const startedMs = performance.now();
  const place = places();
  checkMachine(report, { mustBeRoot: 'it installs packages, and runs containers and their network' });
  await ensureDebianPackages(RUN_PACKAGES, { report });
  await ensureBuilt(report);
  const containerdFlags = await containerdOf(flags);
  if (isStopping) return;

  report.step('Starting root, cluster and worker; building the image of the demo');
  const daemons = startDaemons(place, { flags: [...containerdFlags, ...flags], report });
  closers.push(daemons.stop);
  const [started, registry] = await bothOf(daemons.started, serveDemoImage(place), (served) =>
    closers.push(served.close),
  );
  daemons.ended.then(onDaemonsEnded);
  report.detail(`the image is served from a registry on loopback: ${registry.image}`);
  const api = connectApi(`http://127.0.0.1:${started.rootApiPort}`);
  const passwordFile = join(started.rootStateDirectory, 'admin-password');
  await api.login('Admin', passwordIn(passwordFile));
  report.step('Deploying the demo');
  const demo = await ensureDemo(api, { place, image: registry.image, report });
  report.detail(`ready after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  if (isStopping) return;
  process.stdout.write(welcome({ ...started, ...demo, passwordFile, logFile: place.logFile }));
}

/**
 * Waits for two things at once, for the second also when the first fails: it has to be taken down then.
 *
 * @template A, B
 * @param {Promise<A>} first
 * @param {Promise<B>} second
 * @param {(value: B) => void} onSecond
 * @returns {Promise<[A, B]>}
 */
async function bothOf(first, second, onSecond) {
  const noted = second.then((value) => {
    onSecond(value);
    return value;
  });
  await Promise.allSettled([first, noted]);
  return Promise.all([first, noted]);
}

/** @param {readonly string[]} flags */
async function containerdOf(flags) {
  const isChosen =
    flags.some((flag) => flag.startsWith('--worker-containerd-socket')) ||
    process.env.OAKESTRA_WORKER_CONTAINERD_SOCKET !== undefined;
  if (isChosen) return [];
  const { address } = await ensureContainerd({ report });
  return ['--worker-containerd-socket', address];
}

/** @param {string} file */
function passwordIn(file) {
  if (process.env.OAKESTRA_ROOT_ADMIN_PASSWORD) return process.env.OAKESTRA_ROOT_ADMIN_PASSWORD;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new SetupError(
      `The password of the administrator cannot be read (${cause.message}). If you changed it, write the new one to ${file}, or give it as OAKESTRA_ROOT_ADMIN_PASSWORD.`,
      { cause },
    );
  }
}

/** @param {{ rootApiPort: number, url: string, serviceId: string, passwordFile: string, logFile: string }} found */
function welcome({ rootApiPort, url, serviceId, passwordFile, logFile }) {
  const api = `http://127.0.0.1:${rootApiPort}`;
  const host = outsideAddress();
  const login =
    `TOKEN=$(curl -s ${api}/api/auth/login -H 'Content-Type: application/json' ` +
    `-d '{"username":"Admin","password":"'$(cat ${passwordFile})'"}' | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')`;
  const authorised = (/** @type {string} */ rest) => `curl -s -H "Authorization: Bearer $TOKEN" ${rest}`;
  return `
Oakestra runs.

  API            https://${host}:${rootApiPort}   (on this machine also ${api})
  Administrator  Admin, password in ${passwordFile}
  Log            ${logFile}

Three things to try next, in another terminal:

  1. Open the demo, or ask it which instance answers:
     curl -s ${url}/cgi-bin/instance

  2. Log in, and see what runs:
     ${login}
     ${authorised(`${api}/api/service/${serviceId}`)}

  3. Take the instance away and start another one:
     ${authorised(`-X DELETE ${api}/api/service/${serviceId}/instance/-1`)}
     ${authorised(`-X POST ${api}/api/service/${serviceId}/instance`)}

Ctrl-C stops the daemons; the instances keep running.

READY ${url}
`;
}

/** How other machines reach this one. */
function outsideAddress() {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}

async function stopAll() {
  isStopping = true;
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
}

/** @param {string} signal */
async function onSignal(signal) {
  if (isStopping) return;
  isStopping = true;
  process.stderr.write('\n');
  report.step(`Stopping the daemons (${signal})`);
  const wasRunning = closers.length > 0;
  await stopAll();
  if (wasRunning) {
    report.detail('Stopped. The instances keep running.');
    report.detail('"npm start" finds them again; "npm run oakestra -- down --purge" removes everything.');
  }
  process.exit(0);
}

/** @param {number} exitCode */
async function onDaemonsEnded(exitCode) {
  if (isStopping) return;
  report.step(
    exitCode === 0
      ? 'The daemons were stopped from elsewhere.'
      : `The daemons ended with exit code ${exitCode}; their log is ${places().logFile}`,
  );
  await stopAll();
  process.exit(exitCode);
}

// npm passes signals on that the terminal has sent to us already: all but the first mean nothing.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void onSignal(signal));

main(process.argv.slice(2)).catch(async (error) => {
  if (isStopping) return;
  const isKnown =
    error instanceof SetupError || typeof error?.kind === 'string' || error?.name === 'ApiError';
  process.stderr.write(`\n${isKnown ? error.message : error.stack}\n`);
  await stopAll();
  process.exit(1);
});
