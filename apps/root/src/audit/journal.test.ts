import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import { createLogger, createManualClock, type ManualClock, seededRandom } from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type AuditEvent,
  type AuditJournal,
  type AuditJournalOptions,
  type AuditSchema,
  auditMigrations,
  openAuditJournal,
} from './index.ts';

let folder: string;
let store: Store<AuditSchema>;
let clock: ManualClock;
let logged: string;
const random = seededRandom(7);

const logger = createLogger({ output: { write: (line) => (logged += line) } });
const open = (options: Partial<AuditJournalOptions> = {}) =>
  openAuditJournal({ store, clock, random, logger, ...options });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-audit-'));
  const path = join(folder, 'root.db');
  const ports = { logger, clock: createManualClock(), random };
  store = await openSqliteStore({ path, migrations: auditMigrations, ...ports });
});

beforeEach(async () => {
  logged = '';
  clock = createManualClock();
  await store.commit([store.db.deleteFrom('audit_entries')], { durability: 'normal' });
});

afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const event = (number: number, fields: Partial<AuditEvent> = {}): AuditEvent => ({
  actor: { userId: 'a', userName: 'Admin', address: '192.0.2.1' },
  action: 'user.create',
  object: { kind: 'user', id: String(number), name: `user ${number}` },
  ...fields,
});
const record = async (journal: AuditJournal, from: number, to: number, fields: Partial<AuditEvent> = {}) => {
  for (let number = from; number <= to; number += 1) await journal.record(event(number, fields));
};
const idsOf = async (journal: AuditJournal, query = {}) =>
  (await journal.read(query)).entries.map(({ object }) => Number(object.id));

describe('the audit journal', () => {
  it('tells everything of an entry', async () => {
    const journal = await open();
    const details = { roles: ['Admin'], count: 3, isForced: true };
    await journal.record(event(1, { outcome: 'failed', details }));
    expect((await journal.read()).entries).toEqual([
      { ...event(1), id: expect.any(String), atMs: clock.nowMs(), outcome: 'failed', details },
    ]);
  });

  it('pages backwards from the newest, without gaps while new ones come', async () => {
    const journal = await open();
    await record(journal, 1, 5);
    const first = await journal.read({ limit: 2 });
    await record(journal, 6, 7);
    const second = await journal.read({ limit: 2, cursor: first.next ?? '' });
    const third = await journal.read({ limit: 2, cursor: second.next ?? '' });
    const pages = [first, second, third].map(({ entries }) => entries.map(({ object }) => object.id));
    expect(pages).toEqual([['5', '4'], ['3', '2'], ['1']]);
    expect(third.next).toBeUndefined();
  });

  it('ends exactly at the end', async () => {
    const journal = await open();
    await record(journal, 1, 2);
    expect((await journal.read({ limit: 2 })).next).toBeUndefined();
  });

  it('filters by user, action, object and time', async () => {
    const journal = await open();
    const startMs = clock.nowMs();
    await record(journal, 1, 1);
    await clock.advance(1_000);
    await record(journal, 2, 2, { actor: { userName: 'bob' } });
    await clock.advance(1_000);
    await record(journal, 3, 3, { action: 'user.delete' });
    await record(journal, 4, 4, { object: { kind: 'organisation', id: '4' } });
    expect(await idsOf(journal, { userName: 'bob' })).toEqual([2]);
    expect(await idsOf(journal, { action: 'user.delete' })).toEqual([3]);
    expect(await idsOf(journal, { object: { kind: 'user' } })).toEqual([3, 2, 1]);
    expect(await idsOf(journal, { object: { kind: 'user', id: '1' } })).toEqual([1]);
    expect(await idsOf(journal, { fromMs: startMs + 1_000, untilMs: startMs + 2_000 })).toEqual([2]);
  });

  it('keeps the order of recording when the clock steps back, also after a restart', async () => {
    const journal = await open();
    await record(journal, 1, 2);
    clock.jumpWallClock(-3_600_000);
    await record(journal, 3, 3);
    const later = await open();
    await record(later, 4, 4);
    const { entries } = await later.read();
    expect(entries.map(({ object }) => object.id)).toEqual(['4', '3', '2', '1']);
    expect(entries[0]?.atMs).toBe(clock.nowMs());
  });

  it('is stored with the change that it tells of, or not at all', async () => {
    const journal = await open();
    const entry = journal.entry(event(1));
    await expect(store.commit([entry, entry], { durability: 'full' })).rejects.toMatchObject({
      code: 'store-constraint',
    });
    expect(await idsOf(journal)).toEqual([]);
    await store.commit([entry], { durability: 'full' });
    expect(await idsOf(journal)).toEqual([1]);
  });

  it('drops the oldest; what was refused does not push out what was done', async () => {
    const journal = await open({ mostEntries: 3, mostRefusals: 2, pruneEvery: 10 });
    await record(journal, 1, 4);
    await record(journal, 11, 26, { outcome: 'refused' });
    await journal.settled();
    expect(await idsOf(journal, { limit: 500 })).toEqual([26, 25, 4, 3, 2]);
  });

  it('masks what must not be in it', async () => {
    const journal = await open();
    const details = { password: 'hunter2', note: 'Bearer abcdefghijklmnop', list: ['token=hunter3'] };
    await journal.record(event(1, { details }));
    await journal.record(event(2, { details: { key: new Sensitive('hunter4') as unknown as string } }));
    const rows = JSON.stringify(await store.db.selectFrom('audit_entries').selectAll().execute());
    expect(rows).not.toMatch(/hunter|abcdefghijklmnop/);
    expect(rows).toContain('********');
  });

  it('takes any name that a stranger sends', async () => {
    const journal = await open();
    await journal.record(event(1, { actor: { userName: `a\u0000${'b'.repeat(10_000)}` } }));
    const [entry] = (await journal.read()).entries;
    expect(entry?.actor.userName).toMatch(/^ab{511}$/);
  });

  it('complains, and nothing else, when an entry cannot be stored', async () => {
    const full = async () => {
      throw new Error('disk full');
    };
    const journal = await open({ store: { ...store, db: store.db, commit: full } });
    await journal.record(event(1));
    expect(logged).toContain('an entry of the audit journal was not stored');
  });
});
