import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import type { Migrations } from './migrations.ts';
import type { Store } from './store.ts';
import { type LogLine, openTestStore, recordingLogger, temporaryFolder, testClock } from './test-ports.ts';

const full = { durability: 'full' } as const;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let path: string;
let store: Store<ConformanceSchema>;
const lines: LogLine[] = [];

const open = async (migrations: Migrations): Promise<Store<ConformanceSchema>> => {
  const logger = recordingLogger((line) => lines.push(line));
  store = await openTestStore<ConformanceSchema>(path, migrations, { logger });
  return store;
};
const box = (id: string) => store.db.insertInto('boxes').values({ id, label: id, size: 1, weight: null });
const backups = async () => (await readdir(folder.path)).filter((name) => name.includes('.before-upgrade-'));
/** The migrations of the suite and `count` further ones. */
const upgraded = (count: number): Migrations => ({
  ...conformanceMigrations,
  ...Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `01${index}-further`,
      {
        up: async (db) => void (await sql`create table further_${sql.raw(`${index}`)} (id text)`.execute(db)),
      },
    ]),
  ),
});

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, 'store.db');
  lines.length = 0;
  await open(conformanceMigrations);
  const item = store.db.insertInto('items').values({ id: 'i', box: 'a', position: 3 });
  await store.commit([box('a'), item], full);
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

describe('a migration on SQLite', () => {
  it('can rebuild a table that others refer to, without cascading into them', async () => {
    await store.close();
    await open({
      ...conformanceMigrations,
      '0003-rebuilt': {
        async up(db) {
          await db.schema
            .createTable('boxes_new')
            .addColumn('id', 'text', (column) => column.primaryKey())
            .addColumn('label', 'text', (column) => column.notNull())
            .addColumn('size', 'bigint', (column) => column.notNull())
            .addColumn('weight', 'real')
            .addColumn('note', 'text')
            .execute();
          await sql`insert into boxes_new select id, label, size, weight, 'moved' from boxes`.execute(db);
          await db.schema.dropTable('boxes').execute();
          await db.schema.alterTable('boxes_new').renameTo('boxes').execute();
        },
      },
    });
    const joined = await sql`select i.id, b.note from items i join boxes b on b.id = i.box`.execute(store.db);
    expect(joined.rows).toEqual([{ id: 'i', note: 'moved' }]);
    const orphan = store.db.insertInto('items').values({ id: 'j', box: 'nowhere', position: 0 });
    await expect(store.commit([orphan], full)).rejects.toMatchObject({ code: 'store-constraint' });
  });

  it('is refused when it breaks references', async () => {
    await store.close();
    const breaking: Migrations = {
      ...conformanceMigrations,
      '0003-lose-boxes': { up: async (db) => void (await db.deleteFrom('boxes').execute()) },
    };
    await expect(openTestStore(path, breaking)).rejects.toThrow('items');
    await open(conformanceMigrations);
    expect(await store.db.selectFrom('boxes').select('id').execute()).toEqual([{ id: 'a' }]);
  });
});

describe('the backup before an upgrade', () => {
  it('is a store of the version before, for its owner only, and said in the log', async () => {
    expect(await backups()).toEqual([]);
    const before = store.incarnation;
    await store.close();
    await open(upgraded(1));
    const [name, ...others] = await backups();
    const backup = join(folder.path, name!);
    expect([others, (await stat(backup)).mode & 0o777]).toEqual([[], 0o600]);
    expect(lines.filter(({ fields }) => fields.backup === backup)).toHaveLength(1);
    expect(store.incarnation).toBe(before);
    const kept = await openTestStore<ConformanceSchema>(backup, conformanceMigrations);
    expect(await kept.db.selectFrom('items').select('id').execute()).toEqual([{ id: 'i' }]);
    expect(kept.incarnation).not.toBe(before);
    await kept.close();
  });

  it('is not made where nothing changes, and only the last three stay', async () => {
    for (const count of [1, 2, 3, 4, 5]) {
      const known = await backups();
      await store.close();
      await open(upgraded(count));
      await store.close();
      await open(upgraded(count));
      const fresh = (await backups()).filter((name) => !known.includes(name));
      expect([fresh.length, (await backups()).length]).toEqual([1, Math.min(count, 3)]);
      // The newest is among those that stay.
      expect((await backups()).sort().at(-1)).toBe(fresh[0]);
    }
  });

  it('is a condition of the upgrade', async () => {
    await store.close();
    const clock = { ...testClock, nowMs: () => 0 };
    const taken = `${path}.before-upgrade-1970-01-01T00-00-00.000Z`;
    await writeFile(taken, 'of somebody else');
    const error = await openTestStore(path, upgraded(1), { clock }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'store-file-exists' });
    expect((error as Error).message).toContain('was not upgraded');
    expect(await readFile(taken, 'utf8')).toBe('of somebody else');
    await open(conformanceMigrations);
    expect(await store.db.selectFrom('boxes').select('id').execute()).toEqual([{ id: 'a' }]);
  });
});
