import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SEALED_REFERENCES_FIELD, Sensitive, type ServiceDocument } from '@oakestra/contracts';
import type { InstanceRecord } from '@oakestra/ownership';
import { createSealer } from '@oakestra/pki';
import type { Store } from '@oakestra/store';
import { openTestStore, temporaryFolder } from '@oakestra/store/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ValuesSchema, valuesMigrations } from './schema.ts';
import { openValueStore, type ValueStore } from './value-store.ts';

const id = 'a'.repeat(24);
const using = (...versions: number[]): ServiceDocument =>
  ({
    [SEALED_REFERENCES_FIELD]: versions.map((version) => ({
      ...{ kind: 'secret', id, name: 'db', version, environment: 'DB' },
    })),
  }) as unknown as ServiceDocument;
const value = (version: number) => ({
  ...{ id, version, base64: Buffer.from(`value-${version}`).toString('base64') },
});
const record = (key: string, versions: readonly number[], wanted: 'running' | 'removed' = 'running') =>
  ({ key, wanted, document: using(...versions) }) as unknown as InstanceRecord;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store<ValuesSchema>;
let values: ValueStore;

const open = (records: readonly InstanceRecord[] = [], keyByte = 1): Promise<ValueStore> => {
  const key = new Sensitive<Uint8Array>(Buffer.alloc(32, keyByte));
  return openValueStore({ store, sealer: async () => createSealer([key]), records });
};
const write = async (...records: readonly (readonly [string, InstanceRecord | null])[]) => {
  const statements = values.erasures(new Map(records));
  if (statements.length > 0) await store.commit(statements, { durability: 'full' });
};
const stored = async () =>
  (await store.db.selectFrom('sealed_values').select('key').orderBy('key').execute()).map(({ key }) => key);

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openTestStore<ValuesSchema>(join(folder.path, 'cluster.db'), valuesMigrations);
  values = await open();
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

it('keeps each version once for all instances, encrypted, until the last one is to go', async () => {
  const release = await values.keep([value(1), value(2)]);
  await write(['a/0', record('a/0', [1])], ['a/1', record('a/1', [1, 2])]);
  release();
  expect(await values.load(using(1, 2))).toEqual([value(1), value(2)]);
  await write(['a/1', record('a/1', [1, 2], 'removed')]);
  expect([values.has(using(1)), values.has(using(1, 2))]).toEqual([true, false]);
  expect(await stored()).toEqual([`${id}.1`]);
  await write(['a/0', null]);
  expect(await stored()).toEqual([]);
  await store.close();
  expect((await readFile(join(folder.path, 'cluster.db'))).includes('value-1')).toBe(false);
});

it('lets go of what came for an order that was not obeyed', async () => {
  const release = await values.keep([value(1)]);
  release();
  expect(values.has(using(1))).toBe(false);
});

it('erases at its start what a crash left', async () => {
  await values.keep([value(1), value(2)]);
  values = await open([record('a/0', [2]), record('a/1', [1], 'removed')]);
  expect(await stored()).toEqual([`${id}.2`]);
  expect(values.has(using(2))).toBe(true);
});

it('counts as missing what it cannot read, so that it comes again', async () => {
  await values.keep([value(1)]);
  values = await open([record('a/0', [1])], 2);
  expect(await values.load(using(1))).toEqual([]);
  expect(values.has(using(1))).toBe(false);
  await values.keep([value(1)]);
  expect(await values.load(using(1))).toEqual([value(1)]);
});
