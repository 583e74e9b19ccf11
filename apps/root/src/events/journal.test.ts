import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, createManualClock, systemRandom } from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type EventJournal, type EventsSchema, eventsMigrations, openEventJournal } from './index.ts';

const SERVICE = 'a'.repeat(24);
const clock = createManualClock();
const logger = createLogger({ output: { write: () => undefined } });
let folder: string;
let store: Store<EventsSchema>;
let journal: EventJournal;

const openStore = () =>
  openSqliteStore<EventsSchema>({
    path: join(folder, 'root.db'),
    migrations: eventsMigrations,
    ...{ logger, clock, random: systemRandom() },
  });
const change = (number: number, detail = '') =>
  journal.add({ kind: 'instance-changed', ownerUserId: 'u', serviceId: SERVICE, number, detail });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-events-'));
  store = await openStore();
  journal = await openEventJournal({ store, clock, logger, kept: 20 });
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

it('tells those who watch, in order, until they stop', () => {
  const seen: number[] = [];
  const stop = journal.watch(({ seq }) => seen.push(seq));
  change(0);
  change(1);
  stop();
  change(2);
  expect(seen).toEqual([1, 2]);
});

it('counts on after a start', async () => {
  change(0, 'before');
  await journal.stop();
  await store.close();
  store = await openStore();
  journal = await openEventJournal({ store, clock, logger });
  change(1, 'after');
  const all = await journal.after(0, 10);
  expect(all?.map(({ seq, detail }) => [seq, detail])).toEqual([
    [1, 'before'],
    [2, 'after'],
  ]);
});

it('gives no number again that was told and never written', async () => {
  change(0);
  await journal.after(0, 1);
  const told: number[] = [];
  journal.watch(({ seq }) => told.push(seq));
  change(1, 'told, then the process was killed');
  const successor = await openEventJournal({ store, clock, logger });
  successor.add({ kind: 'instance-changed', ownerUserId: 'u', detail: 'another' });
  expect(told).toEqual([2]);
  expect(successor.lastSeq()).toBeGreaterThan(2);
  // Whoever saw the one that is lost is told that something is missing.
  expect(await successor.after(2, 10)).toBeUndefined();
});

it('goes on where a reader was, and says when that is not possible', async () => {
  for (let number = 0; number < 60; number += 1) {
    change(number);
    await journal.after(journal.lastSeq(), 1);
  }
  expect((await journal.after(57, 10))?.map(({ seq }) => seq)).toEqual([58, 59, 60]);
  expect(await journal.after(60, 10)).toEqual([]);
  // Cleared since.
  expect(await journal.after(1, 10)).toBeUndefined();
  // Of another life.
  expect(await journal.after(1000, 10)).toBeUndefined();
});

it('knows the history of one instance, newest first and in pages', async () => {
  change(7, 'a');
  change(8, 'other');
  change(7, 'b');
  change(7, 'c');
  const instance = { serviceId: SERVICE, number: 7 };
  const first = await journal.historyOf(instance, { limit: 2 });
  expect(first.map(({ detail }) => detail)).toEqual(['c', 'b']);
  const second = await journal.historyOf(instance, { limit: 2, belowSeq: first.at(-1)?.seq });
  expect(second.map(({ detail }) => detail)).toEqual(['a']);
});
