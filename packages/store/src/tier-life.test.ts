import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Store } from './store.ts';
import { openTestStore, temporaryFolder } from './test-ports.ts';
import { probeStore, readTierLife, tierLifeAssignments } from './tier-life.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const opened: Store<never>[] = [];
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await folder.remove();
});

async function open(name: string): Promise<Store<never>> {
  const store = await openTestStore<never>(join(folder.path, name), {});
  opened.push(store);
  return store;
}

it('begins at nothing, under the incarnation of the store', async () => {
  const store = await open('a.db');
  expect(await readTierLife(store)).toEqual({
    incarnation: store.incarnation,
    counter: 0,
    floor: 0,
    wasRestored: false,
  });
});

it('keeps number and incarnation over a restart', async () => {
  const store = await open('a.db');
  await readTierLife(store);
  const life = { incarnation: 'f'.repeat(32), counter: 1_795_000_000, floor: 1_700_000_000 };
  await store.commit(tierLifeAssignments(store, life), { durability: 'full' });
  await store.close();
  expect(await readTierLife(await open('a.db'))).toEqual({ ...life, wasRestored: false });
});

it('notices that it is a copy of an earlier state until what follows from that is stored', async () => {
  const store = await open('a.db');
  await store.commit(tierLifeAssignments(store, await readTierLife(store)), { durability: 'full' });
  await store.close();
  await copyFile(join(folder.path, 'a.db'), join(folder.path, 'b.db'));
  const copy = await open('b.db');
  expect((await readTierLife(copy)).wasRestored).toBe(true);
  // A crash before anything came of it must not hide it.
  await copy.close();
  const again = await open('b.db');
  const life = await readTierLife(again);
  expect(life.wasRestored).toBe(true);
  await again.commit(tierLifeAssignments(again, { ...life, counter: 7 }), { durability: 'full' });
  expect(await readTierLife(again)).toMatchObject({ counter: 7, wasRestored: false });
});

it('finds out whether the store takes writes', async () => {
  const store = await open('a.db');
  await probeStore(store, 1);
  await store.close();
  await expect(probeStore(store, 2)).rejects.toMatchObject({ code: 'store-closed' });
});
