// What `npm test` consists of, the quick and decisive first.
import { join } from 'node:path';

const MINUTE_MS = 60_000;

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} command  a program of node_modules/.bin, or `node`
 * @property {readonly string[]} args
 * @property {number} timeoutMs
 * @property {string} [report]  vitest's JSON report; without one the step counts as one test
 */

/**
 * @param {{ isFull: boolean, reportDirectory: string }} options
 * @returns {readonly Step[]}
 */
export function stepsOf({ isFull, reportDirectory }) {
  const check = (
    /** @type {string} */ name,
    /** @type {string} */ command,
    /** @type {string[]} */ ...args
  ) => ({
    name,
    command,
    args,
    timeoutMs: 5 * MINUTE_MS,
  });
  const tests = (/** @type {string} */ project, /** @type {number} */ minutes) => {
    const report = join(reportDirectory, `${project}.json`);
    return {
      name: `${project} tests`,
      command: 'vitest',
      args: ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile=${report}`],
      timeoutMs: minutes * MINUTE_MS * (isFull ? 6 : 1),
      report,
    };
  };
  const simulationSeconds = isFull ? 600 : 60;
  return [
    check('lint and format', 'biome', 'check', '.'),
    check('types', 'tsc', '--noEmit'),
    check(
      'who imports whom',
      'depcruise',
      '--config',
      '.dependency-cruiser.cjs',
      'packages',
      'apps',
      'testbed',
      'e2e',
      'bench',
    ),
    check('unused code', 'knip', '--no-progress'),
    check('generated files', 'node', 'scripts/generate.mjs', '--check'),
    check('build', 'node', 'scripts/build.mjs'),
    tests('unit', 12),
    {
      name: `simulation, ${simulationSeconds} s`,
      command: 'tsx',
      args: [
        'apps/simulator/src/main.ts',
        ...['--seconds', String(simulationSeconds)],
        ...['--length', isFull ? '3' : '2'],
      ],
      timeoutMs: 3 * MINUTE_MS + simulationSeconds * 1000,
    },
    tests('host', 12),
    tests('e2e', 12),
  ];
}
