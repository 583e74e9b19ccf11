import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { REPOSITORY } from '../start/place.mjs';

/** Steps that are running: a Ctrl-C ends them. @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Runs one step with our terminal. Resolves to its exit code; one that takes too long is ended with all it started.
 *
 * @param {import('./steps.mjs').Step} step
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
export function runStep({ command, args, timeoutMs }, env) {
  const path = `${join(REPOSITORY, 'node_modules/.bin')}${delimiter}${env.PATH}`;
  const program = command === 'node' ? process.execPath : command;
  return new Promise((resolve) => {
    // A group of its own, so that what hangs below it can be ended too.
    const child = spawn(program, args, {
      cwd: REPOSITORY,
      env: { ...env, PATH: path },
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    running.add(child);
    const timer = setTimeout(() => {
      console.error(`ended after ${timeoutMs / 60_000} minutes: it takes too long`);
      endGroup(child, 'SIGKILL');
    }, timeoutMs);
    const done = (/** @type {number} */ code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve(code);
    };
    child.once('error', (error) => {
      console.error(`${command} could not be started: ${error.message}`);
      done(1);
    });
    child.once('exit', (code) => done(code ?? 1));
  });
}

/** Ends what runs: tests then take their things away themselves. */
export function endSteps() {
  for (const child of running) endGroup(child, 'SIGTERM');
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function endGroup(child, signal) {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It has ended already.
  }
}
