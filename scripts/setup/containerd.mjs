import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  containerdAnswers,
  removeContainerd,
  startContainerd,
  stopContainerd,
} from './containerd-instance.mjs';
import { findProgram } from './debian-packages.mjs';
import { consoleReport, SetupError } from './report.mjs';

/** @typedef {import('./containerd-instance.mjs').ContainerdPlace} ContainerdPlace */

/** Where the containerd of the system listens. */
const SYSTEM_CONTAINERD_ADDRESS = '/run/containerd/containerd.sock';

/** Where ours lives when the system has none. @type {ContainerdPlace} */
export const PRIVATE_CONTAINERD = {
  address: '/run/oakestra/containerd/containerd.sock',
  root: '/var/lib/oakestra/containerd',
  state: '/run/oakestra/containerd',
  logFile: '/var/log/oakestra/containerd.log',
};

/**
 * Finds or starts a containerd. In this order: the private one when it runs or still holds images and containers of
 * an earlier start (they must be found again, whatever else was installed meanwhile); the one of the system when it
 * answers; a new private one.
 *
 * @param {object} [options]
 * @param {string} [options.systemAddress]
 * @param {ContainerdPlace} [options.place]    of the private one
 * @param {number} [options.timeoutMs]         until it answers; default 30 s
 * @param {import('./report.mjs').Report} [options.report]
 * @returns {Promise<{ address: string, isPrivate: boolean, logFile: string | undefined }>}
 *   `logFile` is known for a private one only
 */
export async function ensureContainerd({
  systemAddress = SYSTEM_CONTAINERD_ADDRESS,
  place = PRIVATE_CONTAINERD,
  timeoutMs = 30_000,
  report = consoleReport(),
} = {}) {
  const holdsState = existsSync(join(place.root, 'io.containerd.metadata.v1.bolt', 'meta.db'));
  if (!holdsState && (await containerdAnswers(systemAddress))) {
    return { address: systemAddress, isPrivate: false, logFile: undefined };
  }
  if (!findProgram('containerd')) {
    throw new SetupError(
      `No containerd answers at ${systemAddress}, and the program is not installed. Install the package containerd, or start the one you have.`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new SetupError(
      `No containerd answers at ${systemAddress}; starting one needs root. Start again as root.`,
    );
  }
  const { isNew } = await startContainerd(place, { timeoutMs });
  if (isNew) report.step(`Started a containerd of our own (socket ${place.address}, log ${place.logFile})`);
  return { address: place.address, isPrivate: true, logFile: place.logFile };
}

/**
 * Stops the private containerd; the one of the system is never touched. Without `purge` its containers keep running
 * and are found again by the next start; with it, every trace is removed. Idempotent.
 *
 * @param {object} [options]
 * @param {boolean} [options.purge]
 * @param {ContainerdPlace} [options.place]
 */
export async function stopPrivateContainerd({ purge = false, place = PRIVATE_CONTAINERD } = {}) {
  if (purge) await removeContainerd(place);
  else await stopContainerd(place);
}
