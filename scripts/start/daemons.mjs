// `oakestra up` as our child.
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { SetupError } from '../setup/index.mjs';
import { runningPid } from '../setup/process-identity.mjs';
import { openLog, watchLog } from './log-file.mjs';
import { holderOf } from './port-holder.mjs';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const SHOWN_LEVELS = ['warn', 'error'];

/**
 * @typedef {object} Started what `up` tells when all tiers run
 * @property {string} stateDirectory
 * @property {number} rootApiPort
 * @property {string} rootStateDirectory
 */

/**
 * Starts the daemons. They may be stopped at any time, also before they have started.
 *
 * @param {import('./place.mjs').Places} place
 * @param {{ flags: readonly string[], report: import('../setup/index.mjs').Report }} options
 * @returns {{ started: Promise<Started>, ended: Promise<number>, stop: () => Promise<void> }}
 *   `started`: when all tiers have started; `ended`: their exit code
 */
export function startDaemons(place, { flags, report }) {
  const other = runningPid(place.pidFile);
  if (other !== undefined) {
    throw new SetupError(
      `Oakestra runs already on ${place.stateDirectory} (process ${other}). To stop it: npm run oakestra -- down`,
    );
  }
  const log = openLog(place.logFile);
  let isStopping = false;
  const watch = watchLog(place.logFile, ({ level, component, message, fields }) => {
    // While stopping, the tiers complain about each other's absence.
    if (component === 'up' && message === 'stopping') isStopping = true;
    if (isStopping || !SHOWN_LEVELS.includes(level)) return;
    report.warn(`[${component}] ${message}${explain(fields)}`);
    if (fields.error?.code === 'port-in-use') report.warn(portAdvice(fields.error.message));
  });
  // In a session of its own: a Ctrl-C of the terminal reaches us alone, and we stop it in order.
  const child = spawn(process.execPath, [place.program, 'up', '--log-format', 'json', ...flags], {
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
    cwd: '/',
  });
  closeSync(log);
  /** @type {Promise<number>} */
  const ended = new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => resolve(code ?? 1));
  }).then((code) => {
    watch.stop();
    return code;
  });
  const stop = async () => {
    isStopping = true;
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(killer);
  };
  return { started: untilStarted(child, { ended, stop, logFile: place.logFile }), ended, stop };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {{ ended: Promise<number>, stop: () => Promise<void>, logFile: string }} parts
 * @returns {Promise<Started>}
 */
async function untilStarted(child, { ended, stop, logFile }) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @type {Started | string} */
  const outcome = await Promise.race([
    new Promise((resolve) => {
      child.on('message', (message) => {
        if (message?.kind === 'started') resolve(message);
      });
    }),
    ended.then(() => 'ended while they started'),
    new Promise((resolve) => {
      timer = setTimeout(resolve, START_TIMEOUT_MS, `did not start within ${START_TIMEOUT_MS / 1000} s`);
    }),
  ]);
  clearTimeout(timer);
  if (typeof outcome !== 'string') return outcome;
  await stop();
  throw new SetupError(`The daemons ${outcome}. What they said stands above, and all of it in ${logFile}`);
}

/**
 * Who has the port, and how to take another one.
 * @param {string} message
 */
function portAdvice(message) {
  const port = Number(/:(\d+) is in use/.exec(message)?.[1]);
  const holder = Number.isInteger(port) ? holderOf(port) : '';
  return (
    `${holder === '' ? '' : `It is used${holder}. `}Other ports are chosen with OAKESTRA_ROOT_API_PORT, ` +
    'OAKESTRA_ROOT_CLUSTER_PORT, OAKESTRA_CLUSTER_API_PORT and OAKESTRA_CLUSTER_MQTT_PORT.'
  );
}

/** @param {Record<string, unknown>} fields */
function explain({ error, reason }) {
  if (typeof reason === 'string') return `: ${reason}`;
  const message = /** @type {{ message?: string } | undefined} */ (error)?.message;
  return message === undefined ? '' : `: ${message}`;
}
