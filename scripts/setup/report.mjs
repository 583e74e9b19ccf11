// How the setup speaks to the person who typed the command.

/**
 * @typedef {object} Report
 * @property {(text: string) => void} step    a step begins or has been taken
 * @property {(text: string) => void} detail  one line of progress of the current step
 * @property {(text: string) => void} warn    something to know; the setup goes on
 */

/**
 * Speaks on standard error, so that standard output stays free for results.
 * @returns {Report}
 */
export function consoleReport() {
  const write = (/** @type {string} */ text) => process.stderr.write(`${text}\n`);
  return {
    step: (text) => write(`==> ${text}`),
    detail: (text) => write(`    ${text}`),
    warn: (text) => write(`!   ${text}`),
  };
}

/** A problem that the person has to solve: printed without a stack trace. */
export class SetupError extends Error {
  name = 'SetupError';
}
