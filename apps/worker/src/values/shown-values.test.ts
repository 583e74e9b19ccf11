import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SEALED_REFERENCES_FIELD, Sensitive, type ServiceDocument } from '@oakestra/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../instances/testing/temporary-folder.ts';
import { createShownValues, type ShownValues } from './shown-values.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let contents: Map<string, Uint8Array>;
let shown: ShownValues;
const directory = () => join(folder.path, 'values');

beforeEach(async () => {
  folder = await temporaryFolder();
  contents = new Map([
    ['db', Buffer.from('p=w d\n')],
    ['key', Buffer.from([1, 0, 255])],
    ['long', Buffer.alloc(128 * 1024, 'x')],
  ]);
  shown = createShownValues({
    values: {
      async open({ name }) {
        const content = contents.get(name);
        if (content === undefined) throw new Error(`${name} is missing`);
        return new Sensitive(content);
      },
    },
    directory: directory(),
    ensureDirectory: async (path) => void (await mkdir(path, { recursive: true })),
  });
});
afterEach(() => folder.remove());

const using = (...references: object[]) =>
  ({
    [SEALED_REFERENCES_FIELD]: references.map((reference) => ({
      ...{ kind: 'secret', id: 'a'.repeat(24), version: 1 },
      ...reference,
    })),
  }) as unknown as ServiceDocument;

describe('what an instance is shown', () => {
  it('are variables as they are, and files with their mode, until it is gone', async () => {
    const given = await shown.show(
      using(
        { name: 'db', environment: 'DB' },
        { name: 'key', file: '/run/secrets/key', mode: '0400' },
        { name: 'db', file: '/etc/db' },
      ),
      'web',
    );
    expect(given.environment).toEqual(['DB=p=w d\n']);
    expect(given.files.map(({ path }) => path)).toEqual(['/run/secrets/key', '/etc/db']);
    const [key, db] = given.files.map(({ hostPath }) => hostPath) as [string, string];
    expect([...(await readFile(key))]).toEqual([1, 0, 255]);
    const modes = await Promise.all([key, db].map(async (path) => (await stat(path)).mode & 0o777));
    expect(modes).toEqual([0o400, 0o444]);
    await shown.hide('web');
    await shown.hide('web');
    expect(await readdir(directory())).toEqual([]);
  });

  it('is nothing where the service refers to nothing, not even a folder', async () => {
    expect(await shown.show(using(), 'web')).toEqual({ environment: [], files: [] });
    await shown.show(using({ name: 'db', environment: 'DB' }), 'web');
    await shown.sweep(new Set());
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('is said to be impossible without saying what it is', async () => {
    const show = (reference: object) => shown.show(using(reference), 'web');
    await expect(show({ name: 'key', environment: 'K' })).rejects.toThrow(
      'The secret "key" (version 1) is no text: it cannot be the variable K; take a file',
    );
    await expect(show({ name: 'long', environment: 'L' })).rejects.toThrow('is too long');
    await expect(show({ name: 'none', file: '/n' })).rejects.toThrow('none is missing');
  });

  it('is swept when nobody knows it any more', async () => {
    for (const name of ['a', 'b']) await shown.show(using({ name: 'db', file: '/f' }), name);
    await shown.sweep(new Set(['b']));
    expect(await readdir(directory())).toEqual(['b']);
  });
});
