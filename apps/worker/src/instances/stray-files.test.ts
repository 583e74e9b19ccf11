import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeStrayFiles } from './stray-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'oakestra-stray-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('removes the files of instances that nobody knows any more, and no others', async () => {
  const names = [
    'a.log',
    'a.log.1',
    'a.hosts',
    'a.b.log',
    'a.b.log.2',
    'a.b.hosts',
    'resolv.conf',
    'notes.txt',
  ];
  for (const name of names) await writeFile(join(directory, name), '');
  const removed = await removeStrayFiles({
    logDirectory: directory,
    fileDirectory: directory,
    known: new Set(['a']),
  });
  expect([...removed].sort()).toEqual(['a.b.hosts', 'a.b.log', 'a.b.log.2']);
  expect((await readdir(directory)).sort()).toEqual([
    'a.hosts',
    'a.log',
    'a.log.1',
    'notes.txt',
    'resolv.conf',
  ]);
});
