import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import type { Store } from './store.ts';
import { openTestStore, temporaryFolder } from './test-ports.ts';

const syncDelayMs = 200;
const commits = 300;

/** The longest time the event loop stood still while `work` ran. */
async function worstDelayMs(work: () => Promise<void>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 5 });
  histogram.enable();
  await work();
  histogram.disable();
  return histogram.max / 1e6;
}

describe('group commit on a slow disk', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let store: Store<ConformanceSchema>;

  beforeEach(async () => {
    folder = await temporaryFolder();
    store = await openTestStore(join(folder.path, 'store.db'), conformanceMigrations, { syncDelayMs });
  });
  afterEach(async () => {
    await store.close();
    await folder.remove();
  });

  const box = (id: string) => store.db.insertInto('boxes').values({ id, label: id, size: 1, weight: null });

  it('lets the event loop run, and hundreds of commits share a few syncs', async () => {
    const before = store.statistics;
    // Other programs share the machine: a thread that blocks us does so in every round, a neighbour does not.
    const roundsMs: number[] = [];
    for (let round = 0; round < 5 && Math.min(...roundsMs) > 50; round += 1) {
      roundsMs.push(
        await worstDelayMs(async () => {
          const startedMs = performance.now();
          const inFlight: Promise<void>[] = [];
          for (let batch = 0; batch < 10; batch += 1) {
            for (let index = 0; index < commits / 10; index += 1) {
              inFlight.push(store.commit([box(`${round}-${batch}-${index}`)], { durability: 'full' }));
            }
            await new Promise((resolve) => setImmediate(resolve));
          }
          await Promise.all(inFlight);
          // At least one sync lies behind the last acknowledgement.
          expect(performance.now() - startedMs).toBeGreaterThanOrEqual(syncDelayMs);
        }),
      );
    }
    const { batches, syncs } = store.statistics;
    expect(Math.min(...roundsMs)).toBeLessThan(50);
    expect(batches - before.batches).toBe(commits * roundsMs.length);
    expect(syncs - before.syncs).toBeLessThanOrEqual(6 * roundsMs.length);
  });

  it('does not sync for what asks for none, and syncs a group for its one member that does', async () => {
    const { syncs } = store.statistics;
    await Promise.all(['a', 'b', 'c'].map((id) => store.commit([box(id)], { durability: 'normal' })));
    expect(store.statistics.syncs).toBe(syncs);
    const startedMs = performance.now();
    await Promise.all([
      store.commit([box('d')], { durability: 'full' }),
      store.commit([box('e')], { durability: 'normal' }),
    ]);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(syncDelayMs);
    expect(store.statistics.syncs).toBe(syncs + 1);
  });
});

describe('the files of a store', () => {
  it('are for their owner only, and not written when nothing changes', async () => {
    const folder = await temporaryFolder();
    try {
      const path = join(folder.path, 'state', 'root', 'store.db');
      const store = await openTestStore<ConformanceSchema>(path, conformanceMigrations);
      const modeOf = async (file: string) => (await stat(file)).mode & 0o777;
      const stateFolder = join(folder.path, 'state', 'root');
      expect([await modeOf(join(folder.path, 'state')), await modeOf(stateFolder)]).toEqual([0o700, 0o700]);
      for (const name of await readdir(stateFolder)) {
        expect([name, await modeOf(join(stateFolder, name))]).toEqual([name, 0o600]);
      }
      await store.close();
      const atRest = await stat(path);
      const again = await openTestStore<ConformanceSchema>(path, conformanceMigrations);
      const logPath = `${path}-wal`;
      expect(await again.db.selectFrom('boxes').selectAll().execute()).toEqual([]);
      expect((await stat(logPath).catch(() => ({ size: 0 }))).size).toBe(0);
      await again.close();
      expect((await stat(path)).mtimeMs).toBe(atRest.mtimeMs);
    } finally {
      await folder.remove();
    }
  });

  it('keep the mode of a folder that existed', async () => {
    const folder = await temporaryFolder();
    try {
      const shared = join(folder.path, 'shared');
      await mkdir(shared, { mode: 0o755 });
      await (await openTestStore(join(shared, 'store.db'), {})).close();
      expect((await stat(shared)).mode & 0o777).toBe(0o755);
    } finally {
      await folder.remove();
    }
  });
});
