import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger, createManualClock, type ManualClock } from '@oakestra/daemon';
import { createFakeMachine, createFakeRuntime, type FakeMachine } from '@oakestra/runtimes/fake';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InstanceEntry } from '../journal/index.ts';
import type { ShownValues } from '../values/index.ts';
import { createExecutor, type Executor } from './executor.ts';
import type { ActionResult } from './steps.ts';
import { createFakeNetwork, type FakeNetwork } from './testing/fake-network.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { documentOf, entryOf, NAMESAKE, SERVICE } from './testing/test-entries.ts';

const ID = 'shop.default.web.default.instance.0';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let clock: ManualClock;
let machine: FakeMachine;
let network: FakeNetwork;
let executor: Executor;
let finished: { readonly key: string; readonly attempt: number; readonly result: ActionResult }[];
let progress: string[];
let pinned: string[];
let latencyMs: Record<string, number>;
let values: ShownValues & { shown: Set<string>; missing: boolean };

const logDirectory = () => join(folder.path, 'logs');
const fileDirectory = () => join(folder.path, 'files');

function createTestExecutor(): Executor {
  return createExecutor({
    runtime: createFakeRuntime(machine),
    network,
    logger: createLogger({ output: { write: () => {} } }),
    logDirectory: logDirectory(),
    fileDirectory: fileDirectory(),
    resolvConfPath: join(folder.path, 'resolv.conf'),
    values,
    onFinished: (key, attempt, result) => void finished.push({ key, attempt, result }),
    onProgress: (_key, _attempt, detail) => void progress.push(detail),
    onImagePinned: (_key, _attempt, reference) => void pinned.push(reference),
  });
}

function createFakeValues(): typeof values {
  const shown = new Set<string>();
  return {
    shown,
    missing: false,
    async show(_document, runtimeId) {
      shown.add(runtimeId);
      if (this.missing) throw new Error('the secret "db" is not here yet');
      return { environment: ['PASSWORD=x'], files: [] };
    },
    hide: async (runtimeId) => void shown.delete(runtimeId),
    sweep: async () => {},
  };
}

beforeEach(async () => {
  folder = await temporaryFolder();
  await mkdir(logDirectory());
  await mkdir(fileDirectory());
  clock = createManualClock();
  latencyMs = {};
  values = createFakeValues();
  machine = createFakeMachine({ clock, latencyMs: (operation) => latencyMs[operation] ?? 0 });
  network = createFakeNetwork();
  [finished, progress, pinned] = [[], [], []];
  executor = createTestExecutor();
});
afterEach(async () => {
  const stopped = executor.stop();
  await until(() => true, 50);
  await stopped;
  await folder.remove();
});

/** Lets virtual and real time pass until it is so. */
async function until(condition: () => boolean, leastRounds = 0): Promise<void> {
  const giveUpMs = performance.now() + 15_000;
  for (let round = 0; round < leastRounds || !condition(); round += 1) {
    if (performance.now() > giveUpMs) throw new Error('it did not come to that');
    await clock.advance(10);
    // Files are real, and take their time on a busy machine.
    await new Promise((resolve) => (round < 100 ? setImmediate(resolve) : setTimeout(resolve, 1)));
  }
}

const start = (entry: InstanceEntry, attempt = 1) =>
  executor.execute({ kind: 'start', key: entry.key, attempt, entry });
const remove = (entry: InstanceEntry, attempt = 2) => {
  const removed: InstanceEntry = { ...entry, wanted: 'removed' };
  executor.execute({ kind: 'remove', key: entry.key, attempt, entry: removed, graceMs: 10_000 });
};
const results = () => finished.map(({ result }) => result.kind);

async function run(entry: InstanceEntry, attempt = 1): Promise<void> {
  const before = finished.length;
  start(entry, attempt);
  await until(() => finished.length > before);
  expect(finished.at(-1)).toEqual({ key: entry.key, attempt, result: { kind: 'started' } });
}

async function expectNothingLeft(): Promise<void> {
  expect([...machine.instances.keys()]).toEqual([]);
  expect([...network.attached]).toEqual([]);
  expect(await readdir(fileDirectory())).toEqual([]);
}

const writeLog = () => writeFile(executor.logPathOf(ID), 'hello\n');

it('starts with network, image, files and labels, and removes every trace', async () => {
  const entry = entryOf();
  await run(entry);
  expect(machine.instances.get(ID)).toMatchObject({
    state: { kind: 'running' },
    labels: { 'oakestra.key': entry.key },
    spec: { networkNamespacePath: `/run/netns/${ID}`, hostname: 'instance-0' },
  });
  expect([...network.attached]).toEqual([ID]);
  expect(await readdir(fileDirectory())).toEqual([`${ID}.hosts`]);
  expect(progress).toContain('Unpacking the image');
  expect(pinned[0]).toMatch(/^docker\.io\/library\/nginx@sha256:/);
  expect(executor.keyOf(ID)).toBe(entry.key);
  await writeLog();
  remove(entry);
  await until(() => finished.length === 2);
  expect(results()).toEqual(['started', 'removed']);
  await expectNothingLeft();
  expect(await readdir(logDirectory())).toEqual([]);
  expect(executor.keyOf(ID)).toBeUndefined();
});

it('gives values to the container, and hides them again, also when they are missing', async () => {
  const entry = entryOf();
  await run(entry);
  expect(machine.instances.get(ID)?.spec.environment).toContain('PASSWORD=x');
  expect([...values.shown]).toEqual([ID]);
  remove(entry);
  await until(() => finished.length === 2);
  expect([...values.shown]).toEqual([]);
  values.missing = true;
  start(entry, 3);
  await until(() => finished.length === 3);
  const detail = 'the secret "db" is not here yet';
  expect(finished.at(-1)?.result).toEqual({ kind: 'start-failed', detail });
  expect([...values.shown]).toEqual([]);
});

describe('a start that fails', () => {
  const error = new Error('it cannot be');

  it.each(['prepareImage', 'create', 'start'] as const)('leaves nothing when %s does', async (operation) => {
    machine.fail(operation, { error });
    start(entryOf());
    await until(() => finished.length === 1);
    expect(finished[0]?.result).toEqual({ kind: 'start-failed', detail: 'it cannot be' });
    await expectNothingLeft();
    await run(entryOf(), 2);
  });

  it('leaves nothing when the network does, and does not wait for the image', async () => {
    latencyMs.prepareImage = 60_000_000;
    network.fail('attach', new Error('port 80 is taken'));
    start(entryOf());
    await until(() => finished.length === 1);
    expect(finished[0]?.result).toEqual({ kind: 'start-failed', detail: 'port 80 is taken' });
    await expectNothingLeft();
    expect(clock.monotonicMs()).toBeLessThan(60_000_000);
  });

  it('is cleaned up at the next try when cleaning up fails as well', async () => {
    machine.fail('start', { error });
    network.fail('detach', new Error('the kernel is busy'));
    start(entryOf());
    await until(() => finished.length === 1);
    expect([...network.attached]).toEqual([ID]);
    await run(entryOf(), 2);
    remove(entryOf(), 3);
    await until(() => finished.length === 3);
    await expectNothingLeft();
  });

  it('keeps the output for those who look for the reason, until the instance is removed', async () => {
    machine.fail('start', { error });
    start(entryOf());
    await until(() => finished.length === 1);
    await writeLog();
    remove(entryOf());
    await until(() => finished.length === 2);
    expect(await readdir(logDirectory())).toEqual([]);
  });
});

describe('a removal', () => {
  it('cancels a start that waits for its image, and leaves nothing', async () => {
    latencyMs.prepareImage = 60_000_000;
    const entry = entryOf();
    start(entry);
    await until(() => network.attached.has(ID));
    remove(entry);
    await until(() => finished.length === 1);
    expect(finished).toEqual([{ key: entry.key, attempt: 2, result: { kind: 'removed' } }]);
    await expectNothingLeft();
    expect(machine.instances.size).toBe(0);
  });

  it('cancels a start that waits for its network', async () => {
    network.hold();
    start(entryOf());
    await until(() => progress.length > 0);
    remove(entryOf());
    await until(() => finished.length === 1);
    expect(results()).toEqual(['removed']);
    await expectNothingLeft();
  });

  it.each(['create', 'start'] as const)('during %s removes what that makes', async (operation) => {
    latencyMs[operation] = 500;
    start(entryOf());
    await until(() => progress.length > 0, 5);
    remove(entryOf());
    await until(() => results().includes('removed'));
    await expectNothingLeft();
  });

  it('that is followed by a start of the same instance runs that one, once', async () => {
    latencyMs.prepareImage = 500;
    start(entryOf(), 1);
    remove(entryOf(), 2);
    start(entryOf(), 3);
    await until(() => finished.some(({ attempt }) => attempt === 3));
    expect(finished).toEqual([
      { key: `${SERVICE}/0`, attempt: 2, result: { kind: 'removed' } },
      { key: `${SERVICE}/0`, attempt: 3, result: { kind: 'started' } },
    ]);
    expect(machine.instances.get(ID)?.starts).toBe(1);
  });

  it('waits for the grace time of the service, then kills', async () => {
    const document = documentOf(SERVICE, { cmd: ['stubborn'], stop_grace_seconds: 3600 });
    const entry = entryOf({ document });
    await run(entry);
    const startedMs = clock.monotonicMs();
    remove(entry);
    await until(() => progress.length > 0, 5);
    await clock.advance(3_500_000);
    expect(finished).toHaveLength(1);
    await clock.advance(100_000);
    await until(() => finished.length === 2);
    expect(clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(3_600_000);
    expect(clock.monotonicMs() - startedMs).toBeLessThan(7_200_000);
  });

  it('that fails is told, and works the next time', async () => {
    await run(entryOf());
    machine.fail('remove', { error: new Error('busy') });
    remove(entryOf(), 2);
    await until(() => finished.length === 2);
    expect(finished[1]?.result).toEqual({ kind: 'remove-failed', detail: 'Removing failed: busy' });
    expect(executor.keyOf(ID)).toBe(`${SERVICE}/0`);
    remove(entryOf(), 3);
    await until(() => finished.length === 3);
    await expectNothingLeft();
  });

  it('of something that was never here succeeds', async () => {
    remove(entryOf());
    await until(() => finished.length === 1);
    expect(results()).toEqual(['removed']);
  });
});

it('starts an instance that ended anew, without anything of its earlier run', async () => {
  await run(entryOf());
  machine.end(ID, { code: 1 });
  await run(entryOf(), 2);
  expect(machine.instances.get(ID)?.starts).toBe(1);
  expect(machine.instances.get(ID)?.state.kind).toBe('running');
});

it('clears what an earlier process left half done before it starts', async () => {
  await run(entryOf());
  machine.end(ID, { code: 137 });
  // The worker was killed and starts again over the same machine.
  executor = createTestExecutor();
  executor.remember(entryOf(), ID);
  await run(entryOf(), 2);
  expect(machine.instances.get(ID)?.state.kind).toBe('running');
});

describe('two services with one name', () => {
  const older = entryOf();
  const younger = entryOf({ serviceId: NAMESAKE, document: documentOf(NAMESAKE) });

  it('take turns: the younger one starts when the older one is gone', async () => {
    await run(older);
    remove(older);
    start(younger);
    await until(() => finished.length === 3);
    expect(finished.slice(1).map(({ key, result }) => [key, result.kind])).toEqual([
      [older.key, 'removed'],
      [younger.key, 'started'],
    ]);
    expect(machine.instances.get(ID)?.labels['oakestra.key']).toBe(younger.key);
    expect(executor.keyOf(ID)).toBe(younger.key);
  });

  it('do not touch each other while both are wanted', async () => {
    await run(older);
    start(younger);
    await until(() => finished.length === 2);
    expect(finished[1]?.result).toEqual({
      kind: 'start-failed',
      detail: `${ID} is still in use by another service of the same name; waiting for its end`,
    });
    await writeLog();
    remove(younger);
    await until(() => finished.length === 3);
    expect(machine.instances.get(ID)?.state.kind).toBe('running');
    expect(executor.keyOf(ID)).toBe(older.key);
    expect(await readdir(logDirectory())).toHaveLength(1);
  });
});

describe('the output of an instance that ended by itself', () => {
  it('stays until nobody wants it any more', async () => {
    await run(entryOf());
    await writeLog();
    executor.execute({
      kind: 'remove',
      key: `${SERVICE}/0`,
      attempt: 2,
      entry: entryOf({ outcome: 'completed' }),
      graceMs: 10_000,
    });
    await until(() => finished.length === 2);
    await expectNothingLeft();
    expect(await readdir(logDirectory())).toEqual([`${ID}.log`]);
    executor.discard(`${SERVICE}/0`);
    await until(() => executor.keyOf(ID) === undefined);
    expect(await readdir(logDirectory())).toEqual([]);
  });
});

it('relabels after what is under way, and survives that it fails', async () => {
  start(entryOf());
  const renewed = entryOf({ epoch: { root: 9, cluster: 9 } });
  executor.execute({ kind: 'relabel', key: renewed.key, entry: renewed });
  await until(() => machine.instances.get(ID)?.labels['oakestra.epoch'] === '9.9');
  machine.fail('relabel', { error: new Error('no') });
  executor.execute({ kind: 'relabel', key: renewed.key, entry: renewed });
  remove(renewed);
  await until(() => finished.length === 2);
  expect(results()).toEqual(['started', 'removed']);
});

it('undoes nothing when it stops, begins nothing more, and does not say that anything failed', async () => {
  await run(entryOf());
  latencyMs.prepareImage = 60_000_000;
  start(entryOf({ number: 1 }));
  start(entryOf({ number: 2 }));
  await until(() => network.attached.size === 3);
  const stopped = executor.stop();
  start(entryOf({ number: 3 }));
  await until(() => true, 20);
  await stopped;
  expect(results()).toEqual(['started']);
  expect(machine.instances.get(ID)?.state.kind).toBe('running');
  expect(network.attached.size).toBe(3);
});
