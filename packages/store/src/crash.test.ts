import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import type { Store } from './store.ts';
import { startCommitter } from './test-committer-process.ts';
import { type LogLine, openTestStore, recordingLogger, temporaryFolder } from './test-ports.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let path: string;
const opened: Store<ConformanceSchema>[] = [];

async function open(options: Parameters<typeof openTestStore>[2] = {}): Promise<Store<ConformanceSchema>> {
  const store = await openTestStore<ConformanceSchema>(path, conformanceMigrations, options);
  opened.push(store);
  return store;
}

/** The numbers of the stored rows; fails on a batch that was stored in part. */
async function storedNumbers(): Promise<number[]> {
  const store = await open();
  const boxes = await store.db.selectFrom('boxes').select('size').orderBy('size').execute();
  const items = await store.db.selectFrom('items').select('id').execute();
  await store.close();
  expect(items.length).toBe(boxes.length);
  return boxes.map((row) => row.size);
}

async function failureOf(promise: Promise<unknown>): Promise<OakestraError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(OakestraError);
  return outcome as OakestraError;
}

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, 'store.db');
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  await folder.remove();
});

describe('a process that is killed', { timeout: 60_000 }, () => {
  it('loses nothing that was acknowledged, and no batch in part', async () => {
    let acknowledged: number[] = [];
    let first = 0;
    for (const payloadBytes of [100, 100, 20_000, 20_000]) {
      const committer = startCommitter({ path, first, count: 1_000_000, payloadBytes });
      try {
        await committer.waitUntilOpen();
        const enough = Math.floor(Math.random() * 300);
        await committer.waitFor(() => committer.stored.length > enough);
      } finally {
        await committer.kill();
      }
      acknowledged = [...acknowledged, ...committer.stored];
      const present = await storedNumbers();
      const missing = acknowledged.filter((number) => !present.includes(number));
      expect(missing).toEqual([]);
      // Some were in flight: at most as many as the committer keeps open.
      expect(present.length - acknowledged.length).toBeLessThanOrEqual(8);
      acknowledged = present;
      first = present.at(-1)! + 1;
    }
  });
});

describe('a disk that fails', { timeout: 60_000 }, () => {
  it('is reported as unavailable, loses nothing acknowledged, and works again by itself', async () => {
    const committer = startCommitter({ path, first: 0, count: 600, payloadBytes: 2_000 });
    try {
      await committer.waitFor(() => committer.stored.length > 20);
      await committer.limitFileSize(16_384);
      await committer.waitFor(() => committer.failed.length > 10);
      await committer.limitFileSize(undefined);
      const failures = committer.failed.length;
      const stored = committer.stored.length;
      await committer.waitFor(() => committer.stored.length > stored);
      expect(await committer.finished()).toBe(0);
      expect(new Set(committer.failed)).toEqual(new Set(['store-io-failed']));
      expect(committer.stored.length + committer.failed.length).toBe(600);
      expect(failures).toBeLessThan(580);
      // What a failed sync left in the page cache is not known: the store was read anew from the disk.
      expect(committer.logged).toContain('opens the store anew, because its disk failed');
      expect(committer.logged.at(-1)).toBe('the store writes again');
    } finally {
      await committer.kill();
    }
    const present = await storedNumbers();
    expect(committer.stored.filter((number) => !present.includes(number))).toEqual([]);
  });
});

describe('opening', { timeout: 60_000 }, () => {
  it('is refused while another has the store, also in the same process, and works once it is closed', async () => {
    const first = await open();
    const error = await failureOf(open({ busyTimeoutMs: 50 }));
    expect([error.kind, error.code]).toEqual(['conflict', 'store-in-use']);
    expect(error.message).toContain(path);
    // The refused attempt must not have taken the lock of the first one away.
    const committer = startCommitter({ path, first: 0, count: 1, payloadBytes: 1 });
    expect(await committer.finished()).toBe(1);
    expect([committer.stored, committer.failed]).toEqual([[], ['store-in-use']]);
    await first.close();
    await (await open()).close();
  });

  it('says that a file is not a database, and leaves it alone', async () => {
    const text = 'this is no database, but somebody may need it. '.repeat(100);
    await writeFile(path, text);
    const error = await failureOf(open());
    expect([error.kind, error.code]).toEqual(['internal', 'store-damaged']);
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('says that the folder cannot be used', async () => {
    await writeFile(join(folder.path, 'file'), '');
    path = join(folder.path, 'file', 'store.db');
    const error = await failureOf(open());
    expect([error.kind, error.code]).toEqual(['unavailable', 'store-cannot-open']);
  });
});

describe('a large amount', () => {
  it('refuses a read that it has no memory for, and works on', async () => {
    const store = await open();
    const row = store.db.insertInto('boxes').values({ id: 'a', label: 'a', size: 1, weight: null });
    await store.commit([row], { durability: 'full' });
    for (const text of ["'t' || i", "'text' || i || hex(zeroblob(10000))"]) {
      const huge = sql`with recursive n(i) as (select 1 union all select i + 1 from n limit 20000000)
        select i, ${sql.raw(text)} as t from n`;
      const error = await failureOf(huge.execute(store.db));
      expect([error.kind, error.code]).toEqual(['exhausted', 'store-read-too-large']);
    }
    expect(await store.db.selectFrom('boxes').select('id').execute()).toEqual([{ id: 'a' }]);
  });

  it('does not keep its log large after a burst', async () => {
    const store = await open();
    const label = 'x'.repeat(100_000);
    const insert = (id: string) =>
      store.db.insertInto('boxes').values({ id, label: id + label, size: 1, weight: null });
    const burst = Array.from({ length: 150 }, (_, index) => insert(`${index}`));
    await store.commit(burst, { durability: 'normal' });
    expect((await stat(`${path}-wal`)).size).toBeGreaterThan(8 * 1024 * 1024);
    await store.commit([insert('one more')], { durability: 'normal' });
    await store.commit([insert('and another')], { durability: 'normal' });
    expect((await stat(`${path}-wal`)).size).toBeLessThanOrEqual(4 * 1024 * 1024);
  });
});

describe('a store whose file was replaced', () => {
  it('starts a new incarnation when a copy stands in its place', async () => {
    const store = await open();
    const first = store.incarnation;
    await store.close();
    const content = await readFile(path);
    path = join(folder.path, 'moved.db');
    await writeFile(path, content);
    const lines: LogLine[] = [];
    const copy = await open({ logger: recordingLogger((line) => lines.push(line)) });
    expect(copy.incarnation).not.toBe(first);
    expect(lines.filter((line) => line.level === 'warn')).toHaveLength(1);
    await copy.close();
    expect((await open()).incarnation).toBe(copy.incarnation);
  });
});
