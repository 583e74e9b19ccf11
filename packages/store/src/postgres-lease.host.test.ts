import type { Sensitive } from '@oakestra/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import { fencedStore } from './fenced-store.ts';
import { createLease, type Lease } from './lease.ts';
import { openPostgresStore } from './open-postgres-store.ts';
import type { Store } from './store.ts';
import { startTestChild, type TestChild } from './test-child.ts';
import { recordingLogger, testClock, testRandom } from './test-ports.ts';
import { startTestPostgres, type TestPostgres } from './test-postgres.ts';

const full = { durability: 'full' } as const;
const ports = { logger: recordingLogger(), clock: testClock, random: testRandom };

describe('leadership on PostgreSQL', () => {
  let server: TestPostgres;
  let url: Sensitive;
  let database = 0;
  const stops: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    server = await startTestPostgres();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    database += 1;
    url = await server.createDatabase(`lease_${database}`);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function openStore(): Promise<Store<ConformanceSchema>> {
    const store = await openPostgresStore<ConformanceSchema>({
      url,
      migrations: conformanceMigrations,
      ...ports,
      replyTimeoutMs: 2_000,
    });
    stops.push(() => store.close());
    return store;
  }
  function ask(
    store: Store<ConformanceSchema>,
    holder: string,
  ): Lease & { events: string[]; sinceMs: number[] } {
    const events: string[] = [];
    const sinceMs: number[] = [];
    const note = (event: string): void => {
      events.push(event);
      sinceMs.push(performance.now());
    };
    const lease = createLease({
      store,
      name: 'leader',
      holder,
      ...ports,
      acquired: (fencing) => note(`leads ${fencing}`),
      lost: () => note('lost'),
    });
    stops.push(() => lease.stop());
    return Object.assign(Object.create(lease) as Lease, { events, sinceMs });
  }
  async function leaderProcess(): Promise<TestChild> {
    const child = startTestChild(new URL('./test-lease-holder.ts', import.meta.url), [url.reveal(), 'first']);
    stops.push(() => child.kill());
    await child.waitFor(
      () => child.lines.includes('stored 3') || child.lines.some((line) => /stored/.test(line)),
    );
    return child;
  }
  const box = (store: Store<ConformanceSchema>, id: string) =>
    store.db.insertInto('boxes').values({ id, label: id, size: 1, weight: null });
  const rows = async (store: Store<ConformanceSchema>) =>
    (await store.db.selectFrom('boxes').select('id').execute()).map(({ id }) => id);

  it('is with one of several, and goes to another at once when that one stops', async () => {
    const stores = await Promise.all([openStore(), openStore(), openStore()]);
    const leases = stores.map((store, index) => ask(store, `root-${index}`));
    const leaders = () => leases.filter(({ isHeld }) => isHeld);
    await expect.poll(() => leaders().length).toBe(1);
    const [first] = leaders();
    expect(first!.fencingNumber).toBe(1);
    expect(() => leases.find(({ isHeld }) => !isHeld)!.fencing()).toThrow('does not lead');
    const stoppedMs = performance.now();
    await first!.stop();
    expect(first!.isHeld).toBe(false);
    await expect.poll(() => leaders().length, { interval: 10 }).toBe(1);
    expect(performance.now() - stoppedMs).toBeLessThan(1_000);
    expect(leaders()[0]!.fencingNumber).toBe(2);
  });

  it('goes to another well within three seconds after its holder was killed', async () => {
    const child = await leaderProcess();
    const store = await openStore();
    const lease = ask(store, 'second');
    const stored = child.lines.length;
    await child.waitFor(() => child.lines.length > stored + 100);
    expect(lease.events).toEqual([]);
    await child.kill();
    const killedMs = performance.now();
    await expect.poll(() => lease.isHeld, { interval: 10, timeout: 5_000 }).toBe(true);
    expect(lease.sinceMs[0]! - killedMs).toBeLessThan(2_500);
    expect(lease.fencingNumber).toBe(2);
    await store.commit([box(store, 'second'), lease.fencing()], full);
  });

  it('makes all writes fail that a leader sends after it was frozen and replaced', async () => {
    const child = await leaderProcess();
    const store = await openStore();
    const lease = ask(store, 'second');
    child.signal('SIGSTOP');
    await expect.poll(() => lease.isHeld, { interval: 10, timeout: 5_000 }).toBe(true);
    const before = await rows(store);
    expect(before.length).toBeGreaterThan(0);
    const printed = child.lines.length;
    child.signal('SIGCONT');
    await child.waitFor(() => child.lines.slice(printed).includes('lost'));
    await child.waitFor(
      () => child.lines.slice(printed).filter((line) => line.startsWith('failed')).length > 5,
    );
    const failures = child.lines.filter((line) => line.startsWith('failed'));
    expect(failures.filter((line) => !/lease-not-held|store-expectation/.test(line))).toEqual([]);
    expect(child.lines.slice(printed)).toContain('failed store-expectation');
    // What was under way when it froze may have been stored before the other took over, nothing else.
    expect(await rows(store)).toEqual(before);
  });

  it('keeps every kind of change of an earlier term out of the store, and says why', async () => {
    const [mine, others] = [await openStore(), await openStore()];
    const first = ask(mine, 'first');
    await expect.poll(() => first.isHeld, { interval: 10 }).toBe(true);
    // One that has not heard of its end yet, as when its process stood still.
    const deaf = {
      fencing: (
        (kept) => () =>
          kept
      )(first.fencing()),
      fencingNumber: 1,
      confirm: () => first.confirm(),
    };
    const [fenced, late] = [fencedStore(mine, first, 1), fencedStore(mine, deaf, 1)];
    await fenced.commit([box(mine, 'led')], full);
    await fenced.transaction(async (tx) => {
      await tx.insertInto('boxes').values({ id: 'also led', label: '', size: 1, weight: null }).execute();
    });
    await fenced.meta.set('led', 'yes');
    await first.stop();
    const second = ask(others, 'second');
    await expect.poll(() => second.isHeld, { interval: 10 }).toBe(true);
    expect(second.holder).toBe('second');

    const lost = { kind: 'unavailable', code: 'leadership-lost' };
    const change = async (store: Store<ConformanceSchema>) => {
      await expect(store.commit([box(mine, 'late')], full)).rejects.toMatchObject(lost);
      await expect(store.meta.set('led', 'no')).rejects.toMatchObject(lost);
      const insert = store.transaction(async (tx) => {
        await tx.insertInto('boxes').values({ id: 'late', label: '', size: 1, weight: null }).execute();
      });
      await expect(insert).rejects.toMatchObject(lost);
    };
    await change(fenced);
    const refused = { kind: 'conflict', code: 'store-expectation' };
    await expect(late.commit([box(mine, 'late')], full)).rejects.toMatchObject(refused);
    await expect(late.meta.set('led', 'no')).rejects.toMatchObject(refused);
    await expect(late.transaction(async () => {})).rejects.toMatchObject(lost);
    expect((await rows(mine)).sort()).toEqual(['also led', 'led']);
    expect(await mine.meta.get('led')).toBe('yes');
    // A term that another one of the same process followed is over as well.
    await expect(fencedStore(others, second, 1).commit([box(others, 'late')], full)).rejects.toMatchObject(
      lost,
    );
  });

  it('tells those who do not have it who does, for as long as that is so', async () => {
    const [mine, others] = [await openStore(), await openStore()];
    const first = ask(mine, 'first');
    await expect.poll(() => first.isHeld, { interval: 10 }).toBe(true);
    const second = ask(others, 'second');
    await expect.poll(() => second.holder, { interval: 10 }).toBe('first');
    expect(await first.confirm()).toBe(true);
    expect(await second.confirm()).toBe(false);
    await server.query(`lease_${database}`, "update oakestra_leases set fencing = 7, holder = 'third'");
    expect(await first.confirm()).toBe(false);
    expect(first.events).toEqual(['leads 1', 'lost']);
  });

  it('is given up in time by a holder that cannot reach the database, and found again', async () => {
    const store = await openStore();
    const lease = ask(store, 'only');
    await expect.poll(() => lease.isHeld, { interval: 10 }).toBe(true);
    await server.kill();
    const killedMs = performance.now();
    await expect.poll(() => lease.events, { interval: 10, timeout: 5_000 }).toContain('lost');
    expect(lease.sinceMs[1]! - killedMs).toBeLessThan(1_700);
    expect(lease.isHeld).toBe(false);
    await server.start();
    await expect.poll(() => lease.isHeld, { interval: 10, timeout: 10_000 }).toBe(true);
    // Nobody else led meanwhile, but that cannot be known.
    expect(lease.fencingNumber).toBe(2);
  });
});
