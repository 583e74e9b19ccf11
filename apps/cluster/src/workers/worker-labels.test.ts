import { join } from 'node:path';
import { createMirror, type FleetReport, type WorkerRow, workerRowSchema } from '@oakestra/contracts';
import { createManualClock } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import { openTestStore, temporaryFolder, testRandom } from '@oakestra/store/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openWorkerRegistry, type WorkerRegistry } from './registry.ts';
import { type WorkersSchema, workersMigrations } from './schema.ts';
import { openWorkerLabels } from './worker-labels.ts';
import { workerRow } from './worker-row.ts';
import { createWorkerTable } from './worker-table.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store<WorkersSchema>;
let registry: WorkerRegistry;

const register = (host: string, labels: Record<string, string>) =>
  registry.register({
    ...{ id: '', host, ip: '', port: '', cpu_percent: 0, vcpus: 1, architecture: '', memory_percent: 0 },
    ...{ memory: 1, labels },
  });

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openTestStore(join(folder.path, 'cluster.db'), workersMigrations);
  registry = await openWorkerRegistry(store, testRandom);
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

describe('labels of workers', () => {
  it('of the root win over those of the settings, and both outlive a restart', async () => {
    const { id } = await register('w1', { zone: 'north', rack: '7' });
    const labels = await openWorkerLabels(store, registry);
    expect(await labels.take(id, { version: 5, labels: { zone: 'south' } })).toBe(true);
    const [again, registered] = [
      await openWorkerLabels(store, await openWorkerRegistry(store, testRandom)),
      registry.byId(id),
    ];
    expect(again.effective(id)).toEqual({ zone: 'south', rack: '7' });
    expect(again.own(id)).toEqual({ zone: 'north', rack: '7' });
    expect(registered?.name).toBe('w1');
    await again.take(id, { version: 6, labels: {} });
    expect(again.effective(id)).toEqual({ zone: 'north', rack: '7' });
  });

  it('that are older than those that are known change nothing', async () => {
    const { id } = await register('w1', {});
    const labels = await openWorkerLabels(store, registry);
    await labels.take(id, { version: 5, labels: { zone: 'south' } });
    expect(await labels.take(id, { version: 5, labels: { zone: 'east' } })).toBe(false);
    expect(await labels.take(id, { version: 4, labels: {} })).toBe(false);
    expect(labels.override(id)).toEqual({ version: 5, labels: { zone: 'south' } });
  });
});

it('the table of workers reaches who mirrors it: at the start, after a change, after a loss', async () => {
  const clock = createManualClock();
  const sent: FleetReport['table'][] = [];
  const rows = new Map<string, WorkerRow>();
  const put = (id: string, isUp: boolean) => {
    const said = { own: {}, override: { version: 0, labels: {} } };
    rows.set(id, workerRow(id, { isUp, facts: undefined }, said));
  };
  const table = createWorkerTable({
    clock,
    workers: () => [...rows.keys()],
    rowOf: (id) => rows.get(id),
    send: (report) => void sent.push(report.table),
  });
  const source = { incarnation: 'c', boot: 1 };
  const mirror = createMirror<WorkerRow>((value) => workerRowSchema.safeParse(value).data);
  const exchange = () => {
    for (let next = sent.shift(); next !== undefined; next = sent.shift()) {
      for (const request of mirror.receive(next).requests) table.answer(request);
    }
  };
  put('a', true);
  put('b', true);
  table.touch('a');
  mirror.beginSession(source);
  table.sessionUp(source);
  exchange();
  expect(mirror.isSynced).toBe(true);
  expect([...mirror.entries()].map(([id]) => id).sort()).toEqual(['a', 'b']);
  put('a', false);
  table.touch('a');
  await clock.advance(1000);
  exchange();
  expect(mirror.get('a')?.isUp).toBe(false);
  put('b', false);
  table.touch('b');
  await clock.advance(1000);
  sent.splice(0);
  await clock.advance(30_000);
  exchange();
  expect(mirror.get('b')?.isUp).toBe(false);
  table.sessionDown();
  await clock.advance(60_000);
  expect(sent).toEqual([]);
});
