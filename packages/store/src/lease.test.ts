import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import { createLease } from './lease.ts';
import type { Store } from './store.ts';
import { openTestStore, recordingLogger, temporaryFolder, testClock } from './test-ports.ts';

const full = { durability: 'full' } as const;

describe('the lease of a store that is not shared', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let store: Store<ConformanceSchema>;
  const open = async (): Promise<void> => {
    store = await openTestStore<ConformanceSchema>(join(folder.path, 'store.db'), conformanceMigrations);
  };
  const leaseOf = async (holder: string) => {
    const lease = createLease({ store, name: 'leader', holder, clock: testClock, logger: recordingLogger() });
    await expect.poll(() => lease.isHeld, { interval: 5 }).toBe(true);
    return lease;
  };
  const box = (id: string) => store.db.insertInto('boxes').values({ id, label: id, size: 1, weight: null });

  beforeEach(async () => {
    folder = await temporaryFolder();
    await open();
  });
  afterEach(async () => {
    await store.close();
    await folder.remove();
  });

  it('is granted at once, also after a crash, with a greater number each time', async () => {
    expect((await leaseOf('first')).fencingNumber).toBe(1);
    // Not stopped: as after a crash.
    await store.close();
    await open();
    const second = await leaseOf('second');
    expect(second.fencingNumber).toBe(2);
    await second.stop();
    expect([second.isHeld, second.fencingNumber]).toEqual([false, undefined]);
  });

  it('writes nothing while nothing changes', async () => {
    const lease = createLease({
      store,
      name: 'leader',
      holder: 'only',
      ttlMs: 30,
      clock: testClock,
      logger: recordingLogger(),
    });
    await expect.poll(() => lease.isHeld, { interval: 5 }).toBe(true);
    const { batches } = store.statistics;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect([lease.isHeld, store.statistics.batches]).toEqual([true, batches]);
    await lease.stop();
  });

  it('lets a batch of the holder pass and stops that of an earlier one as a whole', async () => {
    const first = await leaseOf('first');
    await store.commit([box('a'), first.fencing()], full);
    const second = await leaseOf('second');
    await expect(store.commit([box('b'), first.fencing()], full)).rejects.toMatchObject({
      code: 'store-expectation',
    });
    await store.commit([box('c'), second.fencing()], full);
    const rows = await store.db.selectFrom('boxes').select('id').orderBy('id').execute();
    expect(rows.map(({ id }) => id)).toEqual(['a', 'c']);
    await second.stop();
    expect(() => second.fencing()).toThrow('does not lead');
  });
});
