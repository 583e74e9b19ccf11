import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exportIdentity, importIdentity } from './index.ts';

let folder: string;
let state: string;
let target: string;
let archive: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-identity-'));
  [state, target, archive] = [join(folder, 'state'), join(folder, 'target'), join(folder, 'identity.json')];
  await mkdir(join(state, 'authority/deep'), { recursive: true });
  await writeFile(join(state, 'authority/deep/ca.pem'), 'ca');
  await writeFile(join(state, 'token-key.pem'), 'key');
  await writeFile(join(state, 'sealing-keys'), 'keys');
  await writeFile(join(state, 'root.db'), 'data');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('moves authority and keys to another machine, and nothing else, for the owner alone', async () => {
  await exportIdentity(state, archive);
  expect((await stat(archive)).mode & 0o777).toBe(0o600);
  expect(await readFile(archive, 'utf8')).not.toContain('root.db');
  await importIdentity(archive, target);
  expect(await readFile(join(target, 'authority/deep/ca.pem'), 'utf8')).toBe('ca');
  expect(await readFile(join(target, 'token-key.pem'), 'utf8')).toBe('key');
  expect(await readFile(join(target, 'sealing-keys'), 'utf8')).toBe('keys');
  expect((await stat(join(target, 'token-key.pem'))).mode & 0o777).toBe(0o600);
});

it('overwrites neither a file nor an identity', async () => {
  await exportIdentity(state, archive);
  await expect(exportIdentity(state, archive)).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(importIdentity(archive, state)).rejects.toMatchObject({ code: 'identity-present' });
});

it('says when there is nothing to export', async () => {
  await expect(exportIdentity(target, archive)).rejects.toMatchObject({ code: 'identity-missing' });
});

it('refuses files that are something else, or reach beyond the folder', async () => {
  const files = (name: string) =>
    JSON.stringify({ format: 'oakestra-root-identity/1', files: { [name]: 'YQ==' } });
  for (const text of [
    '',
    '{}',
    files('../outside'),
    files('/etc/passwd'),
    files('authority/../../x'),
    files('root.db'),
  ]) {
    await writeFile(archive, text);
    await expect(importIdentity(archive, target)).rejects.toMatchObject({ code: 'identity-unusable' });
  }
});
