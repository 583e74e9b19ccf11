import { copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import { restoreFrom } from './restore-from.ts';
import type { Store } from './store.ts';
import { openTestStore, recordingLogger, temporaryFolder, testClock } from './test-ports.ts';

const full = { durability: 'full' } as const;
const options = { migrations: conformanceMigrations, logger: recordingLogger(), clock: testClock };
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let [path, backup] = ['', ''];
const opened: Store<ConformanceSchema>[] = [];

async function open(migrations = conformanceMigrations): Promise<Store<ConformanceSchema>> {
  const store = await openTestStore<ConformanceSchema>(path, migrations);
  opened.push(store);
  return store;
}
const add = (store: Store<ConformanceSchema>, id: string) =>
  store.commit([store.db.insertInto('boxes').values({ id, label: id, size: 1, weight: null })], full);
const ids = async (store: Store<ConformanceSchema>) =>
  (await store.db.selectFrom('boxes').select('id').orderBy('id').execute()).map(({ id }) => id);
/** Every file of the folder with its content. */
async function everything(): Promise<Record<string, string>> {
  const names = (await readdir(folder.path)).sort();
  const contents = await Promise.all(names.map((name) => readFile(join(folder.path, name), 'base64')));
  return Object.fromEntries(names.map((name, index) => [name, contents[index]!]));
}

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, 'store.db');
  backup = join(folder.path, 'backup.db');
  const store = await open();
  await add(store, 'before');
  await store.backupTo(backup);
  await add(store, 'after');
  await store.close();
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await folder.remove();
});

it('brings back what the backup has, as a new incarnation, and keeps both the backup and what it replaced', async () => {
  const untouched = await readFile(backup);
  const old = await open();
  const { incarnation } = old;
  await old.close();
  const { replacedPath } = await restoreFrom(backup, path, options);
  const restored = await open();
  expect(await ids(restored)).toEqual(['before']);
  expect(restored.incarnation).not.toBe(incarnation);
  await restored.close();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(backup)).toEqual(untouched);
  path = replacedPath!;
  expect(await ids(await open())).toEqual(['after', 'before']);
});

it('works where there is no store yet, also for a second time from the same backup', async () => {
  path = join(folder.path, 'new.db');
  expect(await restoreFrom(backup, path, options)).toEqual({ replacedPath: undefined });
  const first = await open();
  const { incarnation } = first;
  await first.close();
  await restoreFrom(backup, path, options);
  expect((await open()).incarnation).not.toBe(incarnation);
});

it('replaces a store that is damaged, and keeps it for analysis', async () => {
  await writeFile(path, 'not a database '.repeat(1_000));
  const { replacedPath } = await restoreFrom(backup, path, options);
  expect(await ids(await open())).toEqual(['before']);
  expect(await readFile(replacedPath!, 'utf8')).toContain('not a database');
});

it('is refused while somebody has the store open', async () => {
  const store = await open();
  await expect(restoreFrom(backup, path, options)).rejects.toMatchObject({ code: 'store-in-use' });
  await add(store, 'still');
  expect(await ids(store)).toEqual(['after', 'before', 'still']);
  expect(await readdir(folder.path)).not.toContain('store.db.restoring');
});

it('refuses files that are no backup of ours, and leaves everything as it was', async () => {
  const text = join(folder.path, 'text');
  await writeFile(text, 'this is no database '.repeat(1_000));
  const empty = join(folder.path, 'empty');
  await writeFile(empty, '');
  const cut = join(folder.path, 'cut');
  const whole = await readFile(backup);
  await writeFile(cut, whole.subarray(0, whole.length - 4_096));
  const flipped = join(folder.path, 'flipped');
  // A page in the middle loses its content.
  await writeFile(flipped, Buffer.from(whole).fill(0xff, 4_096 * 2, 4_096 * 3));
  const before = await everything();
  for (const file of [text, empty, cut, flipped, join(folder.path, 'missing')]) {
    await expect(restoreFrom(file, path, options)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'store-backup-unusable',
    });
  }
  await expect(restoreFrom(path, path, options)).rejects.toMatchObject({ code: 'store-backup-unusable' });
  expect(await everything()).toEqual(before);
});

it('refuses a backup of a newer version, and takes one of an older version', async () => {
  const { '0001-boxes': first } = conformanceMigrations;
  const before = await everything();
  const old = { ...options, migrations: { '0001-boxes': first! } };
  await expect(restoreFrom(backup, path, old)).rejects.toMatchObject({ code: 'store-newer-than-program' });
  expect(await everything()).toEqual(before);
  const further = { ...conformanceMigrations, '0009-nothing': { up: async () => {} } };
  await restoreFrom(backup, path, { ...options, migrations: further });
  expect(await ids(await open(further))).toEqual(['before']);
});

it('refuses a copy of a store that was open, whose last changes are elsewhere', async () => {
  const store = await open();
  await add(store, 'in the log');
  const copy = join(folder.path, 'copy.db');
  await copyFile(path, copy);
  await copyFile(`${path}-wal`, `${copy}-wal`);
  await store.close();
  await expect(restoreFrom(copy, path, options)).rejects.toMatchObject({ code: 'store-backup-unusable' });
});

it('leaves the old store in its place when it cannot be moved aside', async () => {
  // The name under which the old one would be kept is taken by a folder.
  const clock = { ...testClock, nowMs: () => 0 };
  const taken = `${path}.replaced-1970-01-01T00-00-00.000Z`;
  await mkdir(join(taken, 'full'), { recursive: true });
  await expect(restoreFrom(backup, path, { ...options, clock })).rejects.toMatchObject({
    code: 'store-io-failed',
  });
  expect(await ids(await open())).toEqual(['after', 'before']);
  expect(await readdir(folder.path)).not.toContain('store.db.restoring');
});
