import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countOf } from './count.mjs';

/** @type {string} */
let directory;
/** @type {string} */
let report;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-count-'));
  report = join(directory, 'report.json');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/**
 * @param {number} numPassedTests
 * @param {number} numFailedTests
 * @param {unknown[]} testResults
 */
const write = (numPassedTests, numFailedTests, testResults = []) =>
  writeFileSync(report, JSON.stringify({ numPassedTests, numFailedTests, testResults }));

describe('counting what passed and failed', () => {
  it('counts a step without a report as one', () => {
    expect(countOf({ exitCode: 0 })).toEqual({ passed: 1, failed: 0 });
    expect(countOf({ exitCode: 3 })).toEqual({ passed: 0, failed: 1 });
  });

  it('takes the figures of the report', () => {
    write(7, 2);
    expect(countOf({ exitCode: 1, report })).toEqual({ passed: 7, failed: 2 });
  });

  it('counts a file that could not be loaded', () => {
    write(7, 0, [
      { status: 'failed', assertionResults: [] },
      { status: 'passed', assertionResults: [{ status: 'passed' }] },
    ]);
    expect(countOf({ exitCode: 1, report })).toEqual({ passed: 7, failed: 1 });
  });

  it('never calls a run good that ended badly', () => {
    write(7, 0);
    expect(countOf({ exitCode: 1, report })).toEqual({ passed: 7, failed: 1 });
    expect(countOf({ exitCode: 0, report: join(directory, 'missing.json') })).toEqual({
      passed: 0,
      failed: 1,
    });
  });
});
