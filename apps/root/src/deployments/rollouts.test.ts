import {
  createPublisher,
  type InstanceReport,
  parseInstanceKey,
  type TierCommand,
} from '@oakestra/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { FACTS, serviceDocument } from '../testing/test-cluster.ts';
import { createRootCore, type RootCore, type RootEffects } from './core.ts';
import { revisionOf } from './rollout.ts';
import type { ServiceRecord } from './service-record.ts';

const SERVICE = '1'.repeat(24);
const CLUSTER = 'f'.repeat(24);
const SETTINGS = { maxUnavailable: 1, settleMs: 1000, giveUpMs: 60_000 };

let nowMs: number;
let core: RootCore;
let stored: Map<string, ServiceRecord>;
let records: Map<string, RootEffects['writes'] extends ReadonlyMap<string, infer R> ? NonNullable<R> : never>;
/** Fewest healthy instances and most instances that there ever were. */
let fewest: number;
let most: number;
let publisher: ReturnType<typeof createPublisher<InstanceReport>>;
let counter: number;
/** What the cluster cannot say the end of: its worker is gone. */
let unstoppable: Set<string>;
let running: Map<string, { readonly image: string; readonly epoch: InstanceReport['epoch'] }>;

const documentOf = (image: string, extra: object = {}) => ({ ...serviceDocument(SERVICE), image, ...extra });

function newCore(): RootCore {
  return createRootCore({
    stored: {
      ...{ incarnation: 'd'.repeat(32), counter, members: [CLUSTER] },
      records: [...records.values()],
      services: [...stored.values()],
    },
    schedule: () => ({ kind: 'chosen', member: CLUSTER, reason: 'only one' }),
    nowMs: () => nowMs,
    wallMs: () => 1_800_000_000_000 + nowMs,
    mintIncarnation: () => 'e'.repeat(32),
  });
}

beforeEach(() => {
  [nowMs, counter] = [0, 1];
  unstoppable = new Set();
  [stored, records, running] = [new Map(), new Map(), new Map()];
  core = newCore();
  link();
});

function link(): void {
  publisher = createPublisher<InstanceReport>({ incarnation: 'a'.repeat(32), boot: nowMs + 1 });
  for (const [key, { epoch }] of running) report(key, epoch, 'running', 0);
  const greeting = { incarnation: 'a'.repeat(32), boot: nowMs + 1, highestEpoch: { root: 0, cluster: 0 } };
  core.clusterUp(CLUSTER, greeting);
  core.clusterReport(CLUSTER, FACTS);
  core.clusterReport(CLUSTER, publisher.restart());
  obeyAll();
}

function report(
  key: string,
  epoch: InstanceReport['epoch'],
  phase: InstanceReport['phase'],
  failures: number,
) {
  const status = ({ running: 'RUNNING', removed: 'UNDEPLOYED' } as const)[phase as 'running'] ?? 'FAILED';
  publisher.set(key, { epoch, phase, status, detail: phase === 'failed' ? 'no such file' : '', failures });
}

/** What says `bad` cannot be started. */
function obey(command: TierCommand): void {
  if (command.type === 'deploy') {
    const isBad = command.document.image === 'bad';
    const epoch = { root: command.epoch.root, cluster: 1 };
    report(command.key, epoch, isBad ? 'failed' : 'running', isBad ? 1 : 0);
    if (!isBad) running.set(command.key, { image: command.document.image, epoch });
  } else if (command.type === 'remove') {
    if (unstoppable.has(command.key)) return;
    report(command.key, command.epoch, 'removed', 0);
    running.delete(command.key);
  } else if (command.type === 'forget') publisher.delete(command.key);
  else if (command.type === 'sync') core.clusterReport(CLUSTER, publisher.answer(command));
}

function obeyAll(): void {
  for (;;) {
    const effects = core.takeEffects();
    counter = effects.counter?.counter ?? counter;
    for (const [id, service] of effects.serviceWrites) {
      if (service === null) stored.delete(id);
      else stored.set(id, service);
    }
    for (const [key, record] of effects.writes) {
      if (record === null) records.delete(key);
      else records.set(key, record);
    }
    for (const { message } of effects.sends) {
      obey(message);
      const changes = publisher.takeChanges();
      if (changes !== undefined) core.clusterReport(CLUSTER, changes);
    }
    fewest = Math.min(fewest, running.size);
    most = Math.max(most, running.size);
    const nextMs = core.nextDeadlineMs();
    if (nextMs !== undefined && nextMs <= nowMs) core.tick();
    else if (effects.sends.length === 0) return;
  }
}

function pass(durationMs: number): void {
  const untilMs = nowMs + durationMs;
  for (;;) {
    obeyAll();
    const nextMs = core.nextDeadlineMs();
    if (nextMs === undefined || nextMs > untilMs) break;
    nowMs = Math.max(nowMs, nextMs);
    core.tick();
  }
  nowMs = untilMs;
}

function begin(count: number, document = documentOf('one')): void {
  core.registerService({ id: SERVICE, ownerUserId: 'u', document });
  core.setReplicas(SERVICE, count);
  pass(100);
  [fewest, most] = [running.size, running.size];
}

function change(image: string, settings = SETTINGS, extra: object = {}): void {
  core.updateService(SERVICE, documentOf(image, extra), settings);
  pass(0);
}

const images = () => Array.from(running.values(), ({ image }) => image).sort();
const service = () => core.service(SERVICE);

describe('a change of a service', () => {
  it('replaces the instances one by one, each after the one before ran for a while', () => {
    begin(3);
    change('two');
    expect(images()).toEqual(['one', 'one', 'two']);
    pass(999);
    expect(images()).toEqual(['one', 'one', 'two']);
    pass(1);
    expect(images()).toEqual(['one', 'two', 'two']);
    pass(2000);
    expect(images()).toEqual(['two', 'two', 'two']);
    expect([fewest, most]).toEqual([2, 3]);
    expect(service()?.rollout).toEqual({
      lastRevision: 2,
      outcome: expect.objectContaining({ kind: 'completed', revision: 2 }),
    });
  });

  it('lets nothing be missing where that is asked for', () => {
    begin(2);
    change('two', { ...SETTINGS, maxUnavailable: 0 });
    pass(10_000);
    expect(images()).toEqual(['two', 'two']);
    expect([fewest, most]).toEqual([2, 3]);
  });

  it('takes as many at once as may be missing', () => {
    begin(5);
    change('two', { ...SETTINGS, maxUnavailable: 2 });
    expect(images()).toEqual(['one', 'one', 'one', 'two', 'two']);
    pass(10_000);
    expect(images()).toEqual(Array(5).fill('two'));
    expect(fewest).toBe(3);
  });

  it.each([0, 1])('goes back when the new ones cannot be started, with %s missing', (maxUnavailable) => {
    begin(3);
    change('bad', { ...SETTINGS, maxUnavailable });
    pass(59_000);
    expect(images().length).toBe(3 - maxUnavailable);
    pass(2000);
    expect(images()).toEqual(['one', 'one', 'one']);
    pass(5000);
    expect(service()).toMatchObject({
      document: { image: 'one' },
      rollout: {
        lastRevision: 2,
        outcome: {
          kind: 'rolled-back',
          revision: 2,
          detail: 'No progress for 60 s (FAILED: no such file)',
        },
      },
    });
    expect(service()?.rollout).not.toHaveProperty('active');
    expect(fewest).toBe(3 - maxUnavailable);
  });

  it('goes back at once when a new one fails again and again', () => {
    begin(2);
    change('bad');
    const failed = [...records.values()].find(({ document }) => document.image === 'bad');
    for (let failures = 2; failures <= 3; failures += 1) {
      report(failed?.key ?? '', failed?.placements[0]?.epoch ?? { root: 0, cluster: 0 }, 'failed', failures);
      core.clusterReport(CLUSTER, publisher.takeChanges() ?? FACTS);
      pass(100);
    }
    expect(images()).toEqual(['one', 'one']);
    expect(service()?.rollout?.outcome).toMatchObject({ detail: expect.stringContaining('no such file') });
  });

  it('may be replaced by another one, which goes back to what last was right', () => {
    begin(2);
    change('bad');
    change('worse', SETTINGS, { cmd: ['bad'] });
    pass(500);
    expect(revisionOf(service()?.document ?? documentOf(''))).toBe(3);
    change('bad', SETTINGS, { cmd: ['again'] });
    pass(120_000);
    expect(images()).toEqual(['one', 'one']);
    change('two');
    pass(10_000);
    expect(images()).toEqual(['two', 'two']);
    expect(revisionOf(service()?.document ?? documentOf(''))).toBe(5);
  });

  it('goes on after a restart of the root', () => {
    begin(3);
    change('two');
    pass(1500);
    core = newCore();
    link();
    pass(100_000);
    expect(images()).toEqual(['two', 'two', 'two']);
    expect(service()?.rollout).not.toHaveProperty('active');
  });

  it('keeps to the number of instances that is asked for meanwhile', () => {
    begin(2);
    change('two');
    core.setReplicas(SERVICE, 4);
    pass(0);
    const number = core.requestInstance(SERVICE);
    pass(10_000);
    expect(images()).toEqual(Array(5).fill('two'));
    core.updateService(SERVICE, documentOf('three'), SETTINGS);
    pass(0);
    core.removeInstance(SERVICE, number);
    pass(10_000);
    expect(images()).toEqual(Array(4).fill('three'));
    core.updateService(SERVICE, documentOf('four'), SETTINGS);
    core.removeAllInstances(SERVICE);
    pass(10_000);
    expect(images()).toEqual([]);
    expect(service()?.rollout).not.toHaveProperty('active');
  });

  it.each([0, 1])('goes on when the end of an old one cannot be known, with %s missing', (maxUnavailable) => {
    begin(3);
    unstoppable = new Set(running.keys());
    change('two', { ...SETTINGS, maxUnavailable });
    pass(200_000);
    expect(images().filter((image) => image === 'two')).toHaveLength(3);
    expect(service()?.rollout).not.toHaveProperty('active');
  });

  it('waits for what runs to settle, however impatient it is', () => {
    begin(2);
    change('two', { maxUnavailable: 1, settleMs: 100_000, giveUpMs: 1000 });
    pass(250_000);
    expect(images()).toEqual(['two', 'two']);
  });

  it('ends where it is when the store of the root was put back', () => {
    begin(3);
    const backup = { stored: new Map(stored), records: new Map(records), counter };
    change('two');
    const active = new Map(stored);
    pass(10_000);
    core.setReplicas(SERVICE, 5);
    pass(1000);
    [stored, records, counter] = [active, backup.records, backup.counter];
    core = newCore();
    link();
    pass(200_000);
    // Nothing that runs is taken away for the sake of a change that ended long ago.
    expect(images().filter((image) => image === 'two')).toHaveLength(5);
    expect(service()?.rollout).not.toHaveProperty('active');
  });

  it('does nothing when nothing is different', () => {
    begin(2);
    const before = [...running.keys()];
    change('one');
    const turned = Object.fromEntries(Object.entries(documentOf('one')).reverse());
    core.updateService(SERVICE, turned as ReturnType<typeof documentOf>, SETTINGS);
    pass(10_000);
    expect([...running.keys()]).toEqual(before);
    expect(service()).not.toHaveProperty('rollout');
  });

  it('replaces at once what does not run anyway', () => {
    begin(3, documentOf('bad'));
    expect(images()).toEqual([]);
    change('two');
    pass(5000);
    expect(images()).toEqual(['two', 'two', 'two']);
  });

  it('of a job is for the next one, not for those that run', () => {
    begin(1, documentOf('one', { one_shot: true }));
    change('two', SETTINGS, { one_shot: true });
    pass(10_000);
    expect(images()).toEqual(['one']);
    const number = core.requestInstance(SERVICE);
    pass(100);
    expect(images()).toEqual(['one', 'two']);
    expect(parseInstanceKey([...running.keys()][1] ?? '').number).toBe(number);
  });
});
