import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OakestraError } from '@oakestra/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import type { Store } from './store.ts';
import { type LogLine, openTestStore, recordingLogger, temporaryFolder } from './test-ports.ts';

const run = promisify(execFile);

describe('a full disk', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let disk: string;
  let store: Store<ConformanceSchema>;
  const lines: LogLine[] = [];

  beforeEach(async () => {
    folder = await temporaryFolder();
    disk = join(folder.path, 'disk');
    await mkdir(disk);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
    const logger = recordingLogger((line) => lines.push(line));
    store = await openTestStore(join(disk, 'store.db'), conformanceMigrations, { logger });
  });
  afterEach(async () => {
    await store?.close().catch(() => {});
    await run('umount', ['--lazy', disk]);
    await folder.remove();
  });

  it('is reported as exhausted, keeps what was stored readable, and writing goes on when there is space', async () => {
    const ballast = join(disk, 'ballast');
    await writeFile(ballast, Buffer.alloc(1024 * 1024));
    const stored: string[] = [];
    let error: unknown;
    for (let index = 0; error === undefined && index < 1_000; index += 1) {
      const id = String(index);
      const values = { id, label: id.padEnd(10_000, '.'), size: index, weight: null };
      try {
        await store.commit([store.db.insertInto('boxes').values(values)], { durability: 'full' });
        stored.push(id);
      } catch (thrown) {
        error = thrown;
      }
    }
    expect(error).toBeInstanceOf(OakestraError);
    expect(error).toMatchObject({ kind: 'exhausted', code: 'store-disk-full' });
    expect((error as OakestraError).message).toContain(disk);
    const ids = async () => {
      const rows = await store.db.selectFrom('boxes').select('id').orderBy('size').execute();
      return rows.map((row) => row.id);
    };
    expect(await ids()).toEqual(stored);

    await rm(ballast);
    const values = { id: 'after', label: 'after', size: 10_000, weight: null };
    await store.commit([store.db.insertInto('boxes').values(values)], { durability: 'full' });
    expect(await ids()).toEqual([...stored, 'after']);
    expect(lines.map((line) => line.level)).toEqual(['info', 'error', 'info']);

    await store.close();
    store = await openTestStore(join(disk, 'store.db'), conformanceMigrations);
    expect(await ids()).toEqual([...stored, 'after']);
  });
});
