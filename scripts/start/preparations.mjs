// What every way of starting needs: Node.js, the npm packages, a build.
import { checkNodeVersion, SetupError } from '../setup/index.mjs';
import { ensureDependencies } from './dependencies.mjs';

const OLDEST_NODE = '20.15';

/**
 * @param {import('../setup/index.mjs').Report} report
 * @param {{ mustBeRoot?: string }} [options] `mustBeRoot`: why root is needed
 */
export function checkMachine(report, { mustBeRoot } = {}) {
  checkNodeVersion(OLDEST_NODE);
  if (process.platform !== 'linux') {
    throw new SetupError(
      'This runs on Linux only: containers need its kernel. Use a Linux machine, or a virtual one.',
    );
  }
  if (mustBeRoot !== undefined && process.getuid?.() !== 0) {
    throw new SetupError(`This needs root: ${mustBeRoot}. Start it again with sudo, or as root.`);
  }
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    report.warn(`This was made for amd64 and arm64; on ${process.arch} parts of it may be missing.`);
  }
}

/**
 * Installs and builds where that has not been done since the sources changed.
 * @param {import('../setup/index.mjs').Report} report
 */
export async function ensureBuilt(report) {
  await ensureDependencies(report);
  // Loaded late: its own packages may just have been installed.
  const { build, BuildError } = await import('../build.mjs');
  const startedMs = performance.now();
  try {
    const isNew = await build({ log: () => {}, onStart: () => report.step('Building') });
    if (isNew) report.detail(`built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    throw new SetupError(`The build failed:\n${error.message}`, { cause: error });
  }
}
