import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isFresh, writeBuildRecord } from './freshness.mjs';

/** @type {string} */
let directory;
const write = (/** @type {string} */ file, text = 'x') => writeFileSync(join(directory, file), text);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-fresh-'));
  for (const folder of ['packages/a/src', 'apps', 'scripts/build', 'dist']) {
    mkdirSync(join(directory, folder), { recursive: true });
  }
  for (const file of [
    'package.json',
    'package-lock.json',
    'packages/a/package.json',
    'packages/a/src/index.ts',
  ]) {
    write(file);
  }
  for (const file of ['scripts/build.mjs', 'scripts/build/bundles.mjs', 'dist/a.cjs']) write(file);
  writeBuildRecord(directory, { inputs: ['packages/a/src/index.ts'], outputs: ['dist/a.cjs'] });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('a build', () => {
  it('is fresh while nothing changes', () => {
    write('packages/a/src/index.ts', 'x');
    expect(isFresh(directory)).toBe(true);
  });

  it.each([
    'packages/a/src/index.ts',
    'package-lock.json',
    'packages/a/package.json',
    'scripts/build/bundles.mjs',
  ])('is old when %s changes', (file) => {
    write(file, 'y');
    expect(isFresh(directory)).toBe(false);
  });

  it('is old when a source is gone, a package is new, or a result is gone', () => {
    rmSync(join(directory, 'packages/a/src/index.ts'));
    expect(isFresh(directory)).toBe(false);
    write('packages/a/src/index.ts', 'x');
    expect(isFresh(directory)).toBe(true);
    mkdirSync(join(directory, 'packages/b'));
    write('packages/b/package.json');
    expect(isFresh(directory)).toBe(false);
    rmSync(join(directory, 'packages/b'), { recursive: true });
    rmSync(join(directory, 'dist/a.cjs'));
    expect(isFresh(directory)).toBe(false);
  });

  it('was never made where there is no record', () => {
    rmSync(join(directory, 'dist/.build.json'));
    expect(isFresh(directory)).toBe(false);
  });
});
