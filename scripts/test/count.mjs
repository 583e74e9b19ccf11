import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Count
 * @property {number} passed
 * @property {number} failed
 */

/**
 * How many tests of a step passed and failed. What ended otherwise than its report says counts as one more failure:
 * files that could not be loaded, errors outside of tests, a run that was killed.
 *
 * @param {{ exitCode: number, report?: string | undefined }} outcome
 * @returns {Count}
 */
export function countOf({ exitCode, report }) {
  if (report === undefined) return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  const result = readReport(report);
  if (result === undefined) return { passed: 0, failed: 1 };
  const brokenFiles = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = result.numFailedTests + brokenFiles;
  return { passed: result.numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

/**
 * @param {string} path
 * @returns {{ numPassedTests: number, numFailedTests: number, testResults: { status: string, assertionResults: { status: string }[] }[] } | undefined}
 */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
