// `npm test`: sets up what is needed, checks, tests, and says at the end how many passed and failed.
//   --full         longer simulation and crash loops
//   --bail         stop at the first step that fails
//   --only <word>  only steps whose name contains the word
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  consoleReport,
  ensureDebianPackages,
  RUN_PACKAGES,
  SetupError,
  TEST_PACKAGES,
} from './setup/index.mjs';
import { ensureDependencies } from './start/dependencies.mjs';
import { checkMachine } from './start/preparations.mjs';
import { countOf } from './test/count.mjs';
import { endSteps, runStep } from './test/run-step.mjs';
import { stepsOf } from './test/steps.mjs';

const report = consoleReport();

/** @param {{ full: boolean, bail: boolean, only?: string | undefined }} options */
async function main({ full: isFull, bail, only }) {
  const setup = await timed(async () => {
    checkMachine(report, { mustBeRoot: 'tests create containers and network namespaces' });
    await ensureDebianPackages([...RUN_PACKAGES, ...TEST_PACKAGES], { report });
    await ensureDependencies(report);
  });
  const lines = [summaryLine('setup', setup.seconds, '')];
  const reportDirectory = mkdtempSync(join(tmpdir(), 'oakestra-test-report-'));
  const env = { ...process.env, ...(isFull ? { OAKESTRA_TEST_FULL: '1' } : {}) };
  const total = { passed: 0, failed: 0 };
  try {
    for (const step of stepsOf({ isFull, reportDirectory })) {
      if (only !== undefined && !step.name.includes(only)) continue;
      report.step(step.name);
      const { value: exitCode, seconds } = await timed(() => runStep(step, env));
      const { passed, failed } = countOf({ exitCode, report: step.report });
      total.passed += passed;
      total.failed += failed;
      lines.push(summaryLine(step.name, seconds, `${passed} passed, ${failed} failed`));
      report.detail(lines.at(-1) ?? '');
      if (bail && failed > 0) break;
    }
  } finally {
    rmSync(reportDirectory, { recursive: true, force: true });
  }
  console.log(`\n${lines.join('\n')}\n`);
  return total;
}

/**
 * @template T
 * @param {() => Promise<T>} action
 */
async function timed(action) {
  const startedMs = performance.now();
  const value = await action();
  return { value, seconds: (performance.now() - startedMs) / 1000 };
}

/**
 * @param {string} name
 * @param {number} seconds
 * @param {string} result
 */
function summaryLine(name, seconds, result) {
  return `${name.padEnd(20)}${seconds.toFixed(1).padStart(7)} s   ${result}`.trimEnd();
}

/** @param {{ passed: number, failed: number }} total */
function finish({ passed, failed }) {
  // The last line is for programs: nothing may follow it.
  process.stdout.write(`${passed} passed, ${failed} failed\n`, () => process.exit(failed === 0 ? 0 : 1));
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => {
    endSteps();
    setTimeout(() => process.exit(1), 10_000).unref();
  });
}

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    bail: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
main(values).then(finish, (error) => {
  process.stderr.write(`${error instanceof SetupError ? error.message : error.stack}\n`);
  finish({ passed: 0, failed: 1 });
});
