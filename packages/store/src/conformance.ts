import { OakestraError } from '@oakestra/contracts';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import type { Migrations } from './migrations.ts';
import { expectChanges } from './statement.ts';
import type { Store } from './store.ts';

/** One database of its own, empty at first, that can be opened again after a close. */
export interface StoreHarness {
  open(migrations: Migrations, compatibleFrom?: string): Promise<Store<ConformanceSchema>>;
  /** A path for a backup that does not exist yet. */
  readonly backupPath: string;
  /** Opens a backup; only where the engine has file backups. */
  openBackup(migrations: Migrations): Promise<Store<ConformanceSchema>>;
  remove(): Promise<void>;
}

const full = { durability: 'full' } as const;
const normal = { durability: 'normal' } as const;

async function failureOf(promise: Promise<unknown>): Promise<OakestraError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(OakestraError);
  return outcome as OakestraError;
}

/** What every engine behind the store's door must do. Call it in a test file of the engine. */
export function describeStoreConformance(name: string, createHarness: () => Promise<StoreHarness>): void {
  describe(`store conformance: ${name}`, () => {
    let harness: StoreHarness;
    let store: Store<ConformanceSchema>;

    const box = (id: string, size = 1) =>
      store.db.insertInto('boxes').values({ id, label: `box ${id}`, size, weight: null });
    const ids = async () => {
      const rows = await store.db.selectFrom('boxes').select('id').orderBy('id').execute();
      return rows.map((row) => row.id);
    };
    const reopen = async (migrations = conformanceMigrations) => {
      await store.close();
      store = await harness.open(migrations);
    };

    beforeEach(async () => {
      harness = await createHarness();
      store = await harness.open(conformanceMigrations);
    });

    afterEach(async () => {
      await store.close();
      await harness.remove();
    });

    describe('commit', () => {
      it('keeps what was committed over a reopening, with either durability', async () => {
        await store.commit([box('a')], full);
        await store.commit([box('b')], normal);
        await reopen();
        expect(await ids()).toEqual(['a', 'b']);
      });

      it('returns every portable value as it was stored', async () => {
        const row = { id: 'ä"\n', label: "it's ✓", size: 2 ** 53 - 1, weight: -0.125 };
        await store.commit([store.db.insertInto('boxes').values(row)], full);
        expect(await store.db.selectFrom('boxes').selectAll().execute()).toEqual([row]);
      });

      it('keeps integers of 64 bits and real numbers exact, and orders text by its bytes', async () => {
        const row = { id: 'b', label: 'b', size: -(2 ** 53 - 1), weight: 0.1234567890123456 };
        const item = { id: 'i', box: 'b', position: 2 ** 40 };
        const batch = [store.db.insertInto('boxes').values(row), store.db.insertInto('items').values(item)];
        await store.commit([...batch, box('a'), box('A'), box('B'), box('Ä'), box('-a')], full);
        expect(await ids()).toEqual(['-a', 'A', 'B', 'a', 'b', 'Ä']);
        expect(await store.db.selectFrom('boxes').selectAll().where('id', '=', 'b').execute()).toEqual([row]);
        expect(await store.db.selectFrom('items').selectAll().execute()).toEqual([item]);
        const counted = await store.db
          .selectFrom('boxes')
          .select((of) => [of.fn.countAll().as('rows'), of.fn.sum('size').as('total')])
          .where('id', '!=', 'b')
          .executeTakeFirst();
        expect(counted).toEqual({ rows: 5, total: 5 });
      });

      it('applies all statements of a batch or none', async () => {
        await store.commit([box('a')], full);
        const error = await failureOf(store.commit([box('b'), box('a'), box('c')], full));
        expect([error.kind, error.code]).toEqual(['conflict', 'store-constraint']);
        expect(await ids()).toEqual(['a']);
      });

      it('lets a failing batch fail alone among concurrent ones', async () => {
        await store.commit([box('taken')], full);
        const outcomes = await Promise.allSettled([
          store.commit([box('a')], full),
          store.commit([box('b'), box('taken')], full),
          store.commit([box('c')], normal),
        ]);
        expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect(await ids()).toEqual(['a', 'c', 'taken']);
      });

      it('applies batches in the order of the calls', async () => {
        await store.commit([box('a', 0)], full);
        const sizes = Array.from({ length: 100 }, (_, index) => index + 1);
        await Promise.all(
          sizes.map((size) => {
            // Each step requires the one before.
            const step = store.db
              .updateTable('boxes')
              .set({ size })
              .where('size', '=', size - 1);
            return store.commit([expectChanges(step)], size % 2 === 0 ? full : normal);
          }),
        );
        expect(await store.db.selectFrom('boxes').select('size').execute()).toEqual([{ size: 100 }]);
      });

      it('shows a batch to every read that starts after the call, also before it is acknowledged', async () => {
        const expected: string[] = [];
        for (let round = 0; round < 9; round += 1) {
          expected.push(`${round}`);
          const committed = store.commit([box(`${round}`)], full);
          expect(await ids()).toEqual(expected);
          await committed;
        }
      });

      it('undoes the batch when a statement changes another number of rows than expected', async () => {
        await store.commit([box('a', 1)], full);
        const stale = store.db.updateTable('boxes').set({ size: 9 }).where('size', '=', 7);
        const error = await failureOf(store.commit([box('b'), expectChanges(stale)], full));
        expect([error.kind, error.code]).toEqual(['conflict', 'store-expectation']);
        expect(await ids()).toEqual(['a']);
      });

      it('enforces references', async () => {
        const orphan = store.db.insertInto('items').values({ id: 'i', box: 'nowhere', position: 0 });
        expect((await failureOf(store.commit([orphan], full))).code).toBe('store-constraint');
      });

      it('refuses a value that not every engine can store, and stores nothing of the batch', async () => {
        const wrong = store.db.insertInto('boxes').values({
          id: 'b',
          label: 'b',
          size: true as unknown as number,
          weight: null,
        });
        expect((await failureOf(store.commit([box('a'), wrong], full))).code).toBe('store-parameter');
        expect(await ids()).toEqual([]);
      });

      it('refuses text that not every engine can store', async () => {
        const error = await failureOf(store.commit([box('a\u0000b')], full));
        expect([error.kind, error.code]).toEqual(['invalid', 'store-text']);
      });

      it('takes an empty batch as done', async () => {
        await expect(store.commit([], full)).resolves.toBeUndefined();
      });
    });

    describe('db', () => {
      it('refuses changes', async () => {
        const error = await failureOf(box('a').execute());
        expect([error.kind, error.code]).toEqual(['internal', 'store-read-tried-to-write']);
        expect(await ids()).toEqual([]);
        await store.commit([box('a')], full);
        expect(await ids()).toEqual(['a']);
      });

      it('refuses changes that hide in a query', async () => {
        const hidden = sql`insert into boxes (id, label, size) values ('a', 'a', 1) returning id`;
        expect((await failureOf(hidden.execute(store.db))).kind).toBe('internal');
        expect(await ids()).toEqual([]);
      });

      it('refuses to read more than there is memory for, and works on', async () => {
        const label = 'x'.repeat(2_000);
        const rows = Array.from({ length: 130 }, (_, index) => ({
          id: `${index}`,
          label: `${index}${label}`,
          size: index,
          weight: null,
        }));
        await store.commit([store.db.insertInto('boxes').values(rows)], normal);
        const pairs = sql`select a.id, b.label from boxes a cross join boxes b`.execute(store.db);
        const error = await failureOf(pairs);
        expect([error.kind, error.code]).toEqual(['exhausted', 'store-read-too-large']);
        expect(await ids()).toHaveLength(130);
      });

      it('knows the clock of the database', async () => {
        const { rows } = await sql<{ nowMs: number }>`select ${store.nowMs} as ${sql.ref('nowMs')}`.execute(
          store.db,
        );
        expect(Math.abs(rows[0]!.nowMs - Date.now())).toBeLessThan(5_000);
      });

      it('names a faulty query', async () => {
        const error = await failureOf(sql`select * from nowhere`.execute(store.db));
        expect([error.kind, error.code]).toEqual(['internal', 'store-query-failed']);
        expect(error.details.sql).toBe('select * from nowhere');
      });
    });

    describe('transaction', () => {
      const increment = (amount: number) =>
        store.transaction(async (tx) => {
          const { size } = await tx.selectFrom('boxes').select('size').executeTakeFirstOrThrow();
          const result = await tx
            .updateTable('boxes')
            .set({ size: size + amount })
            .executeTakeFirst();
          expect(result.numUpdatedRows).toBe(1n);
          return size;
        });
      const size = async () => (await store.db.selectFrom('boxes').select('size').executeTakeFirst())?.size;

      it('reads and writes with nobody in between', async () => {
        await store.commit([box('a', 0)], full);
        await Promise.all(Array.from({ length: 20 }, () => increment(1)));
        expect(await size()).toBe(20);
        expect(await increment(1)).toBe(20);
      });

      it('undoes everything when the work fails', async () => {
        await store.commit([box('a', 5)], full);
        const work = store.transaction(async (tx) => {
          await tx.updateTable('boxes').set({ size: 6 }).execute();
          throw new Error('changed my mind');
        });
        await expect(work).rejects.toThrow('changed my mind');
        expect(await size()).toBe(5);
      });

      it('goes on after a statement that failed', async () => {
        await store.commit([box('a', 1)], full);
        await store.transaction(async (tx) => {
          const again = tx.insertInto('boxes').values({ id: 'a', label: 'x', size: 1, weight: null });
          expect((await failureOf(again.execute())).code).toBe('store-constraint');
          await tx.updateTable('boxes').set({ size: 2 }).execute();
        });
        expect(await size()).toBe(2);
      });

      it('is undone at its deadline, so that it cannot block the store', async () => {
        await store.commit([box('a', 1)], full);
        let late: Promise<unknown> = Promise.resolve();
        let proceed = (): void => {};
        const held = new Promise<void>((resolve) => {
          proceed = resolve;
        });
        const stuck = store.transaction(
          async (tx) => {
            await tx.updateTable('boxes').set({ size: 2 }).execute();
            await held;
            late = tx.updateTable('boxes').set({ size: 3 }).execute();
            await late;
          },
          { timeoutMs: 20 },
        );
        expect([(await failureOf(stuck)).code, await size()]).toEqual(['store-transaction-timeout', 1]);
        proceed();
        await expect.poll(() => failureOf(late).then((error) => error.code)).toBe('store-transaction-ended');
        expect(await size()).toBe(1);
      });
    });

    describe('meta and incarnation', () => {
      it('keeps facts, alone and as part of a batch', async () => {
        expect(await store.meta.get('epoch')).toBeUndefined();
        await store.meta.set('epoch', '1');
        await store.meta.set('epoch', '2');
        await store.commit([box('a'), store.meta.assignment('name', 'x')], full);
        await reopen();
        expect([await store.meta.get('epoch'), await store.meta.get('name')]).toEqual(['2', 'x']);
      });

      it('does not hand out its own keys', () => {
        expect(() => store.meta.assignment('store.incarnation', 'x')).toThrow(OakestraError);
      });

      it('has an incarnation that survives reopening and changes when it is minted', async () => {
        const first = store.incarnation;
        expect(first).toMatch(/^[0-9a-f]{32}$/);
        await reopen();
        expect(store.incarnation).toBe(first);
        const minted = await store.mintIncarnation();
        expect([minted === first, store.incarnation]).toEqual([false, minted]);
        await reopen();
        expect(store.incarnation).toBe(minted);
      });
    });

    describe('migrations', () => {
      const labelled: Migrations = {
        ...conformanceMigrations,
        '0003-note': {
          async up(db) {
            await db.schema.alterTable('boxes').addColumn('note', 'text').execute();
            await db.updateTable('boxes').set({ note: 'moved' }).execute();
          },
        },
      };

      it('brings an old database up to date and keeps its rows', async () => {
        const item = store.db.insertInto('items').values({ id: 'i', box: 'a', position: 3 });
        await store.commit([box('a'), item], full);
        await reopen(labelled);
        const joined = await sql`select i.id, b.note from items i join boxes b on b.id = i.box`.execute(
          store.db,
        );
        expect(joined.rows).toEqual([{ id: 'i', note: 'moved' }]);
        const orphan = store.db.insertInto('items').values({ id: 'j', box: 'nowhere', position: 0 });
        expect((await failureOf(store.commit([orphan], full))).code).toBe('store-constraint');
      });

      it('applies nothing of a failing migration, nor of those before it, and says which failed', async () => {
        await store.commit([box('a')], full);
        await store.close();
        const failing: Migrations = {
          ...labelled,
          '0004-faulty': { up: async (db) => void (await sql`delete from nowhere`.execute(db)) },
        };
        const error = await failureOf(harness.open(failing));
        expect(error.code).toBe('store-migration-failed');
        expect(error.message).toContain('0004-faulty');
        store = await harness.open(conformanceMigrations);
        expect(await ids()).toEqual(['a']);
      });

      it('refuses a database that a newer program wrote, and leaves it as it is', async () => {
        await reopen(labelled);
        await store.commit([box('a')], full);
        await store.close();
        const error = await failureOf(harness.open(conformanceMigrations));
        expect([error.kind, error.code]).toEqual(['unsupported', 'store-newer-than-program']);
        expect(error.message).toContain('0003-note');
        store = await harness.open(labelled);
        expect(await ids()).toEqual(['a']);
      });

      it('lets an older program in where the newer one declared it compatible', async () => {
        await store.close();
        store = await harness.open(labelled, '0002-items');
        await reopen(conformanceMigrations);
        await store.commit([box('a')], full);
        await store.close();
        const oldest: Migrations = { '0001-boxes': conformanceMigrations['0001-boxes']! };
        expect((await failureOf(harness.open(oldest))).code).toBe('store-newer-than-program');
        store = await harness.open(labelled, '0002-items');
        expect(await ids()).toEqual(['a']);
      });
    });

    describe('backup', () => {
      it('copies what was committed, and the copy is a new incarnation', async () => {
        if (!store.capabilities.fileBackup) {
          expect((await failureOf(store.backupTo(harness.backupPath))).kind).toBe('unsupported');
          return;
        }
        await store.commit([box('a')], full);
        const committed = store.commit([box('b')], normal);
        await store.backupTo(harness.backupPath);
        await Promise.all([committed, store.commit([box('c')], full)]);
        const copy = await harness.openBackup(conformanceMigrations);
        const copied = await copy.db.selectFrom('boxes').select('id').orderBy('id').execute();
        const copiedIncarnation = copy.incarnation;
        await copy.close();
        expect(copied.map((row) => row.id)).toEqual(['a', 'b']);
        expect(copiedIncarnation).not.toBe(store.incarnation);
        const again = await harness.openBackup(conformanceMigrations);
        const againIncarnation = again.incarnation;
        await again.close();
        expect(againIncarnation).toBe(copiedIncarnation);
        expect((await failureOf(store.backupTo(harness.backupPath))).code).toBe('store-file-exists');
        expect(await ids()).toEqual(['a', 'b', 'c']);
      });
    });

    describe('close', () => {
      it('writes what is queued, can be called again, and refuses later use', async () => {
        const committed = Array.from({ length: 50 }, (_, index) => store.commit([box(`${index}`)], normal));
        const [first, second] = [store.close(), store.close()];
        await Promise.all([...committed, first, second]);
        expect((await failureOf(store.commit([box('late')], full))).code).toBe('store-closed');
        expect((await failureOf(ids())).code).toBe('store-closed');
        store = await harness.open(conformanceMigrations);
        expect(await ids()).toHaveLength(50);
      });
    });
  });
}
