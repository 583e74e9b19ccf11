// One containerd of our own: started detached from us, found again by its pid file, stopped and removed by name.
import { spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { runCommand } from './command.mjs';
import { killShims, unmountBelow } from './containerd-remains.mjs';
import { endProcess, removePidFile, runningPid, startTimeOf, writePidFile } from './process-identity.mjs';
import { SetupError } from './report.mjs';
import { removeRuncStates } from './runc-remains.mjs';

/**
 * @typedef {object} ContainerdPlace
 * @property {string} address  path of its socket
 * @property {string} root     what lasts: images, snapshots, metadata
 * @property {string} state    what a boot clears: running tasks, pid file, configuration
 * @property {string} logFile
 */

/** Plugins we have no use for: they cost memory, or create folders elsewhere. */
const DISABLED_PLUGINS = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.cri.v1.images',
  'io.containerd.cri.v1.runtime',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.nri.v1.nri',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
];

const KEPT_LOG_BYTES = 5 * 1024 * 1024;

/** @param {ContainerdPlace} place */
const pidFileOf = (place) => join(place.state, 'containerd.pid');

/**
 * The text of its configuration file.
 * @param {ContainerdPlace} place
 */
export function containerdConfig({ address, root, state }) {
  const text = (/** @type {string} */ value) => JSON.stringify(value);
  return `version = 2
root = ${text(root)}
state = ${text(state)}
disabled_plugins = [
${DISABLED_PLUGINS.map((plugin) => `  ${text(plugin)},\n`).join('')}]

[grpc]
  address = ${text(address)}

[debug]
  level = "info"
`;
}

/**
 * Whether a containerd answers at this socket.
 * @param {string} address
 */
export async function containerdAnswers(address) {
  try {
    if (!statSync(address).isSocket()) return false;
  } catch {
    return false;
  }
  const { code } = await runCommand('ctr', ['--address', address, '--connect-timeout', '2s', 'version'], {
    timeoutMs: 5_000,
  });
  return code === 0;
}

/**
 * Starts it (in a session of its own, so that our Ctrl-C does not reach it) and waits until it answers. Uses the
 * one that runs already at this place, if it does.
 *
 * @param {ContainerdPlace} place
 * @param {object} [options]
 * @param {readonly string[]} [options.through]  command that starts it, such as `nsenter --net=…`
 * @param {NodeJS.ProcessEnv} [options.env]      default: the environment of this process
 * @param {number} [options.timeoutMs]           default 30 s
 * @returns {Promise<{ pid: number, isNew: boolean }>}
 */
export async function startContainerd(place, { through = [], env = process.env, timeoutMs = 30_000 } = {}) {
  if (place.address.length > 100) {
    throw new SetupError(
      `The socket path ${place.address} is too long for the kernel: choose a shorter folder.`,
    );
  }
  const running = runningPid(pidFileOf(place));
  if (running !== undefined) {
    await untilReady(place, running, timeoutMs);
    return { pid: running, isNew: false };
  }
  for (const folder of [place.root, place.state, dirname(place.address), dirname(place.logFile)]) {
    mkdirSync(folder, { recursive: true, mode: 0o711 });
  }
  const config = join(place.state, 'config.toml');
  writeFileSync(config, containerdConfig(place), { mode: 0o600 });
  const pid = await launch(place, [...through, 'containerd', '--config', config], env);
  writePidFile(pidFileOf(place), pid);
  await untilReady(place, pid, timeoutMs);
  return { pid, isNew: true };
}

/**
 * @param {ContainerdPlace} place
 * @param {readonly string[]} command
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
async function launch(place, [program = '', ...args], env) {
  keepLogSmall(place.logFile);
  const log = openSync(place.logFile, 'a', 0o640);
  try {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log], cwd: '/', env });
    child.unref();
    return await new Promise((resolve, reject) => {
      child.once('spawn', () => resolve(/** @type {number} */ (child.pid)));
      child.once('error', (cause) =>
        reject(
          new SetupError(`containerd could not be started (${cause.message}). Is it installed?`, { cause }),
        ),
      );
    });
  } finally {
    closeSync(log);
  }
}

/** @param {string} file */
function keepLogSmall(file) {
  try {
    if (statSync(file).size > KEPT_LOG_BYTES) renameSync(file, `${file}.1`);
  } catch {
    // There is no log yet.
  }
}

/**
 * @param {ContainerdPlace} place
 * @param {number} pid
 * @param {number} timeoutMs
 */
async function untilReady(place, pid, timeoutMs) {
  const startTime = startTimeOf(pid);
  const deadline = performance.now() + timeoutMs;
  while (!(await containerdAnswers(place.address))) {
    if (startTime === undefined || startTimeOf(pid) !== startTime) {
      throw new SetupError(
        `containerd ended right after its start. The end of ${place.logFile}:\n${logTail(place)}`,
      );
    }
    if (performance.now() > deadline) {
      throw new SetupError(
        `containerd (process ${pid}) does not answer at ${place.address} after ${timeoutMs / 1000} s. ` +
          `The end of ${place.logFile}:\n${logTail(place)}`,
      );
    }
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** @param {ContainerdPlace} place */
function logTail({ logFile }) {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
  } catch {
    return '(empty)';
  }
}

/**
 * Stops the containerd of this place. Its containers go on, as after a crash.
 * @param {ContainerdPlace} place
 * @returns {Promise<boolean>} false when it was not running
 */
export async function stopContainerd(place) {
  const pid = runningPid(pidFileOf(place));
  if (pid !== undefined) await endProcess(pid);
  removePidFile(pidFileOf(place));
  return pid !== undefined;
}

/**
 * Stops it, kills what still runs under it, unmounts, and deletes root, state, socket and log. Idempotent.
 * @param {ContainerdPlace} place
 */
export async function removeContainerd(place) {
  await stopContainerd(place);
  await killShims(place.address);
  removeRuncStates(place.state);
  for (const folder of [place.state, place.root]) {
    await unmountBelow(folder);
    rmSync(folder, { recursive: true, force: true });
  }
  for (const file of [place.address, `${place.address}.ttrpc`, place.logFile, `${place.logFile}.1`]) {
    rmSync(file, { force: true });
  }
}
