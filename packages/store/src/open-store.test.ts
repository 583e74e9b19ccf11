import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import { expect, it } from 'vitest';
import { openStore } from './open-store.ts';
import { recordingLogger, temporaryFolder, testClock, testRandom } from './test-ports.ts';

const open = (url: string) =>
  openStore({
    url: new Sensitive(url),
    migrations: {},
    logger: recordingLogger(),
    clock: testClock,
    random: testRandom,
  });

it('a path, with or without the scheme of SQLite, is the embedded store', async () => {
  const folder = await temporaryFolder();
  try {
    for (const [name, prefix] of [
      ['a.db', ''],
      ['b.db', 'sqlite:'],
      ['c.db', 'sqlite://'],
    ] as const) {
      const path = join(folder.path, name);
      const store = await open(prefix + path);
      expect(store.capabilities).toEqual({ sharedByProcesses: false, fileBackup: true });
      await store.close();
      expect((await stat(path)).isFile()).toBe(true);
    }
  } finally {
    await folder.remove();
  }
});

it('a URL of PostgreSQL goes to that server', async () => {
  for (const scheme of ['postgres', 'postgresql', 'POSTGRESQL']) {
    await expect(open(`${scheme}://user:geheim@127.0.0.1:1/x`)).rejects.toMatchObject({
      code: 'store-cannot-open',
      message: expect.stringContaining('postgresql://user@127.0.0.1:1/x'),
    });
  }
});

it('what names no engine is refused without being repeated', async () => {
  for (const url of ['mysql://user:geheim@host/x', 'sqlite:', ' ', '']) {
    const error = await open(url).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'invalid', code: 'store-url' });
    expect(String(error)).not.toContain('geheim');
  }
});
