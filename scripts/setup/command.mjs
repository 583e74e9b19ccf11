import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * @typedef {object} CommandResult
 * @property {number | null} code      exit code; null when it could not be started or ended by a signal
 * @property {string} stdout
 * @property {string} stderr
 * @property {Error | undefined} error why it could not be started
 */

/**
 * Runs a program without a shell and waits for its end. Does not throw when the program fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {object} [options]
 * @param {NodeJS.ProcessEnv} [options.env]      default: the environment of this process
 * @param {number} [options.timeoutMs]           default 30 s; then SIGKILL, and `code` is null
 * @param {(line: string) => void} [options.onLine]  sees each line of both outputs as it comes
 * @returns {Promise<CommandResult>}
 */
export function runCommand(command, args, { env = process.env, timeoutMs = 30_000, onLine } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const collected = { stdout: '', stderr: '' };
    let error;
    for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
      child[name].setEncoding('utf8').on('data', (text) => {
        collected[name] += text;
      });
      if (onLine) createInterface({ input: child[name] }).on('line', onLine);
    }
    const timer = setTimeout(() => {
      error = new Error(`${command} did not end within ${timeoutMs / 1000} s`);
      child.kill('SIGKILL');
    }, timeoutMs);
    child.on('error', (cause) => {
      error = cause;
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: error ? null : code, ...collected, error });
    });
  });
}
