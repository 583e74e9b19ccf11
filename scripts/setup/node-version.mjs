import { SetupError } from './report.mjs';

/**
 * Throws a SetupError when this Node.js is older than `minimum` (such as `20.11`).
 *
 * @param {string} minimum
 * @param {string} [current]
 */
export function checkNodeVersion(minimum, current = process.versions.node) {
  const wanted = minimum.split('.').map(Number);
  const found = current.split('.').map(Number);
  for (const [index, part] of wanted.entries()) {
    const have = found[index] ?? 0;
    if (have > part) return;
    if (have < part) {
      throw new SetupError(
        `Node.js ${current} is too old: ${minimum} or newer is needed. Install Node.js 20 (or newer) and start again.`,
      );
    }
  }
}
