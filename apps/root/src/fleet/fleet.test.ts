import { join } from 'node:path';
import type { FleetCommand } from '@oakestra/contracts';
import { createManualClock, type ManualClock } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import { openTestStore, recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reportWorkers, WORKER, WORKER_ID } from '../testing/index.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { type FleetSchema, fleetMigrations } from './schema.ts';

const CLUSTER = 'c'.repeat(24);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store<FleetSchema>;
let clock: ManualClock;
let fleet: Fleet;
let told: FleetCommand[];

const start = async (): Promise<Fleet> => {
  told = [];
  return openFleet({
    ...{ store, clock, logger: recordingLogger() },
    send: (_cluster, command) => void told.push(command),
  });
};
const labelled = () => told.filter(({ type }) => type === 'label-worker');
const known = () => vi.waitFor(() => expect(fleet.worker(CLUSTER, WORKER_ID)).toBeDefined());

beforeEach(async () => {
  folder = await temporaryFolder();
  clock = createManualClock();
  store = await openTestStore(join(folder.path, 'root.db'), fleetMigrations);
  fleet = await start();
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

describe('labels that were set', () => {
  it('outlive the root, and reach a cluster that was away', async () => {
    reportWorkers(fleet, CLUSTER, { [WORKER_ID]: WORKER });
    await known();
    fleet.clusterDown(CLUSTER);
    await fleet.labelWorker(CLUSTER, WORKER_ID, { zone: 'south' });
    fleet = await start();
    expect(fleet.worker(CLUSTER, WORKER_ID)).toMatchObject({
      ...{ name: 'gateway-7', state: 'unknown', capacity: undefined },
      labels: { zone: 'south', rack: '7' },
    });
    reportWorkers(fleet, CLUSTER, { [WORKER_ID]: WORKER });
    await vi.waitFor(() => expect(labelled()).not.toEqual([]));
    expect(labelled()[0]).toMatchObject({ workerId: WORKER_ID, override: { labels: { zone: 'south' } } });
    expect(fleet.worker(CLUSTER, WORKER_ID)?.state).toBe('up');
  });

  it('are said again with each digest until the cluster has them', async () => {
    const cluster = reportWorkers(fleet, CLUSTER, { [WORKER_ID]: WORKER });
    await known();
    await fleet.labelWorker(CLUSTER, WORKER_ID, { zone: 'south' });
    cluster.digest();
    await vi.waitFor(() => expect(labelled()).toHaveLength(2));
    const [first] = labelled();
    if (first?.type !== 'label-worker') throw new Error('nothing was said');
    cluster.set(WORKER_ID, { ...WORKER, override: first.override });
    cluster.digest();
    await fleet.labelCluster(CLUSTER, {});
    expect(labelled()).toHaveLength(2);
  });

  it('are learned from a cluster that knows newer ones: this store was restored', async () => {
    const override = { version: clock.nowMs() + 1000, labels: { zone: 'east' } };
    reportWorkers(fleet, CLUSTER, { [WORKER_ID]: { ...WORKER, override } });
    await known();
    expect(fleet.worker(CLUSTER, WORKER_ID)?.setLabels).toEqual({ zone: 'east' });
    await fleet.labelWorker(CLUSTER, WORKER_ID, { zone: 'west' });
    expect(labelled().at(-1)).toMatchObject({ override: { version: override.version + 1 } });
  });

  it('of a cluster win over its settings', async () => {
    fleet.clusterFacts(CLUSTER, { site: 'a', tier: 'edge' });
    await vi.waitFor(() => expect(fleet.clusterLabels(CLUSTER).labels).toEqual({ site: 'a', tier: 'edge' }));
    await fleet.labelCluster(CLUSTER, { site: 'b' });
    fleet = await start();
    expect(fleet.clusterLabels(CLUSTER)).toEqual({
      labels: { site: 'b', tier: 'edge' },
      setLabels: { site: 'b' },
    });
    await fleet.labelCluster(CLUSTER, { site: null });
    expect(fleet.clusterLabels(CLUSTER).labels).toEqual({ site: 'a', tier: 'edge' });
  });

  it('are not shown before they are on disk', async () => {
    reportWorkers(fleet, CLUSTER, { [WORKER_ID]: WORKER });
    await known();
    const further = [store.db.insertInto('nowhere' as never).values({} as never)];
    await expect(fleet.labelWorker(CLUSTER, WORKER_ID, { zone: 'x' }, further)).rejects.toThrow();
    expect(fleet.worker(CLUSTER, WORKER_ID)?.labels.zone).toBe('north');
    expect(labelled()).toEqual([]);
  });
});

it('forgets workers that their cluster does not have any more, unless somebody said something of them', async () => {
  const other = 'e'.repeat(24);
  reportWorkers(fleet, CLUSTER, { [WORKER_ID]: WORKER, [other]: WORKER });
  await known();
  await vi.waitFor(() => expect(fleet.workers(CLUSTER)).toHaveLength(2));
  await fleet.labelWorker(CLUSTER, other, { keep: 'me' });
  // The cluster comes with a new store.
  fleet = await start();
  reportWorkers(fleet, CLUSTER, {});
  await vi.waitFor(() => expect(fleet.workers(CLUSTER).map(({ id }) => id)).toEqual([other]));
});
