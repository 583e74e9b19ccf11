import { SEALED_REFERENCES_FIELD, type SealedReference, type ServiceDocument } from '@oakestra/contracts';
import { createMemoryDisk, type MemoryDisk } from '@oakestra/daemon';
import { createSealer, openSealingKeys } from '@oakestra/pki';
import { beforeEach, describe, expect, it } from 'vitest';
import { openValueFiles, type ValueFiles } from './value-files.ts';

const id = 'a'.repeat(24);
const reference = (version: number): SealedReference => ({
  ...{ kind: 'secret', id, name: 'db', version, environment: 'DB' },
});
const using = (...versions: number[]): ServiceDocument =>
  ({ [SEALED_REFERENCES_FIELD]: versions.map(reference) }) as unknown as ServiceDocument;
const value = (version: number, text = `value-${version}`) => ({
  ...{ id, version, base64: Buffer.from(text).toString('base64') },
});

let disk: MemoryDisk;
let files: ValueFiles;

const open = (): Promise<ValueFiles> =>
  openValueFiles({
    disk,
    directory: '/values',
    openSealer: async (keyFile) => createSealer(await openSealingKeys(disk, keyFile)),
  });
const textOf = async (version: number) =>
  Buffer.from((await files.open(reference(version))).reveal()).toString();
const names = () => disk.listFiles('/values');

beforeEach(async () => {
  disk = createMemoryDisk();
  files = await open();
});

describe('values of instances', () => {
  it('leave no trace where there are none', async () => {
    await files.retain(() => []);
    expect(files.has(using())).toBe(true);
    expect(await names()).toEqual([]);
  });

  it('outlast a restart, encrypted', async () => {
    await files.keep([value(1), value(2)]);
    files = await open();
    expect([files.has(using(1, 2)), files.has(using(3))]).toEqual([true, false]);
    expect(await textOf(2)).toBe('value-2');
    for (const name of await names()) {
      const text = Buffer.from((await disk.readFile(`/values/${name}`)) ?? []).toString();
      expect(text).not.toContain('value-');
    }
  });

  it('are erased when nobody has them, but not while they are on their way', async () => {
    const release = await files.keep([value(1), value(2)]);
    await files.retain(() => []);
    expect(files.has(using(1, 2))).toBe(true);
    release();
    await files.retain(() => [using(2)]);
    expect(await names()).toEqual([`${id}.2`, 'keys']);
    await expect(textOf(1)).rejects.toThrow('The secret "db" (version 1) is not here yet');
    files = await open();
    await files.retain(() => []);
    expect(await names()).toEqual(['keys']);
  });

  it('that come while others are erased are there afterwards', async () => {
    (await files.keep([value(1)]))();
    const [, release] = await Promise.all([files.retain(() => []), files.keep([value(1)])]);
    release();
    expect(files.has(using(1))).toBe(true);
    expect(await textOf(1)).toBe('value-1');
  });

  it('that cannot be read count as missing, so that they come again', async () => {
    await files.keep([value(1)]);
    await disk.removeFile('/values/keys');
    files = await open();
    expect(files.has(using(1))).toBe(true);
    await expect(textOf(1)).rejects.toMatchObject({ code: 'sealing-key-missing' });
    expect(files.has(using(1))).toBe(false);
    await files.keep([value(1)]);
    expect(await textOf(1)).toBe('value-1');
  });
});
