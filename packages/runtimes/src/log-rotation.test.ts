import { appendFile, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createManualClock } from '@oakestra/daemon';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { quietLogger } from './containerd/test-support/quiet-logger.ts';
import { removeLog, rotateLog, startLogRotation, tailLog } from './log-rotation.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'oak-log-'));
  path = join(directory, 'shop');
});
afterEach(() => rm(directory, { recursive: true }));

const limits = { maxBytes: 10, files: 3 };
const read = (name: string) => readFile(join(directory, name), 'utf8');

it('leaves small and missing logs alone', async () => {
  expect(await rotateLog(path, limits)).toBe(false);
  await writeFile(path, '0123456789');
  expect(await rotateLog(path, limits)).toBe(false);
  expect(await readdir(directory)).toEqual(['shop']);
});

it('keeps as many files as allowed, newest first', async () => {
  for (const letter of ['a', 'b', 'c', 'd']) {
    await appendFile(path, letter.repeat(10));
    await appendFile(path, '\n');
    expect(await rotateLog(path, limits)).toBe(true);
  }
  await appendFile(path, 'e\n');
  expect((await readdir(directory)).sort()).toEqual(['shop', 'shop.1', 'shop.2']);
  expect(await read('shop')).toBe('e\n');
  expect(await read('shop.1')).toMatch(/d\n$/);
  expect(await read('shop.2')).toMatch(/c\n$/);
  expect((await stat(`${path}.1`)).mode & 0o777).toBe(0o640);
});

it('goes on at the beginning for a writer that keeps the file open, and keeps only the end of a huge log', async () => {
  const writer = await open(path, 'a');
  await writer.write('x'.repeat(50));
  await writer.write('the end...');
  await rotateLog(path, limits);
  await writer.write('again');
  await writer.close();
  expect(await read('shop')).toBe('again');
  expect(await read('shop.1')).toBe('the end...');
});

it('can do with one file', async () => {
  await writeFile(path, 'x'.repeat(11));
  expect(await rotateLog(path, { maxBytes: 10, files: 1 })).toBe(true);
  expect(await readdir(directory)).toEqual(['shop']);
  expect(await read('shop')).toBe('');
});

it('shows the last lines across rotated files', async () => {
  await writeFile(`${path}.2`, 'one\ntwo\n');
  await writeFile(`${path}.1`, 'three\n');
  await writeFile(path, 'four\nfive');
  expect(await tailLog(path, 1_000)).toBe('one\ntwo\nthree\nfour\nfive');
  expect(await tailLog(path, 17)).toBe('three\nfour\nfive');
  expect(await tailLog(path, 12)).toBe('four\nfive');
  expect(await tailLog(path, 2)).toBe('ve');
  expect(await tailLog(path, 0)).toBe('');
  expect(await tailLog(join(directory, 'none'), 10)).toBe('');
});

it('removes a log with what was rotated', async () => {
  for (const name of ['shop', 'shop.1', 'shop.2', 'other']) await writeFile(join(directory, name), '');
  await removeLog(path);
  await removeLog(path);
  expect(await readdir(directory)).toEqual(['other']);
});

it('looks after the logs that are written now, until it is stopped', async () => {
  const clock = createManualClock();
  const rounds: string[] = [];
  const rotation = startLogRotation({
    paths: () => {
      rounds.push('round');
      return [];
    },
    clock,
    logger: quietLogger,
    intervalMs: 100,
  });
  await clock.advance(250);
  expect(rounds).toHaveLength(2);
  rotation.stop();
  rotation.stop();
  await clock.advance(1_000);
  expect(rounds).toHaveLength(2);
  expect(clock.pendingTimers).toBe(0);
});
