import { join } from 'node:path';
import type { OakestraError, TierCommand, TierReport } from '@oakestra/contracts';
import { createManualClock, type ManualClock } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import {
  createFaultyStore,
  type FaultyStore,
  openTestStore,
  recordingLogger,
  temporaryFolder,
  testRandom,
} from '@oakestra/store/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestCluster, serviceDocument, type TestCluster } from '../testing/test-cluster.ts';
import { type DeploymentEngine, startDeployments } from './engine.ts';
import { type DeploymentsSchema, deploymentsMigrations } from './schema.ts';
import type { ServiceRecord } from './service-record.ts';

const SERVICE = '1'.repeat(24);
const OTHER = '2'.repeat(24);
const USER = 'e'.repeat(24);
const CLUSTER = 'f'.repeat(24);

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let opened: Store<DeploymentsSchema>;
let disk: FaultyStore<DeploymentsSchema>;
let clock: ManualClock;
let engine: DeploymentEngine;
let lines: Line[];
let sent: { readonly cluster: string; readonly command: TierCommand }[];
let adopted: ServiceRecord[];
let send: (cluster: string, command: TierCommand) => boolean;
const dropLinks = vi.fn();

async function open(): Promise<void> {
  opened = await openTestStore(join(folder.path, 'root.db'), deploymentsMigrations);
  disk = createFaultyStore(opened);
  engine = await start();
}

function start(): Promise<DeploymentEngine> {
  return startDeployments({
    store: disk.store,
    clock,
    random: testRandom,
    logger: recordingLogger((line) => void lines.push(line)),
    clusters: () => [],
    send: (cluster, command) => send(cluster, command),
    dropLinks,
    onAdopted: (service) => void adopted.push(service),
  });
}

beforeEach(async () => {
  folder = await temporaryFolder();
  clock = createManualClock();
  [lines, sent, adopted] = [[], [], []];
  dropLinks.mockReset();
  send = (cluster, command) => {
    sent.push({ cluster, command });
    return true;
  };
  await open();
});
afterEach(async () => {
  engine.stop();
  disk.setSlow(false);
  await opened.close();
  await folder.remove();
});

const register = (id = SERVICE, name = 'web') =>
  engine.registerService({ id, ownerUserId: USER, document: serviceDocument(id, name) });

/** The commands since the last call. */
function takeCommands(): TierCommand[] {
  return sent.splice(0).map(({ command }) => command);
}

function say(cluster: string, reports: readonly TierReport[]): void {
  for (const report of reports) engine.clusterReport(cluster, report);
}

function link(cluster: TestCluster, id = CLUSTER): void {
  engine.clusterUp(id, cluster.greeting);
  say(id, cluster.opening());
}

/** Lets the cluster obey until nothing more is asked of it. */
async function settle(cluster: TestCluster, id = CLUSTER): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(0);
    const commands = takeCommands();
    quiet = commands.length === 0 ? quiet + 1 : 0;
    for (const command of commands) say(id, cluster.obey(command));
  }
}

const logged = (level: string) => lines.filter((line) => line.level === level).map(({ message }) => message);

describe('a deployment', () => {
  it('is placed, reported and removed', async () => {
    const cluster = createTestCluster();
    link(cluster);
    await register();
    expect(engine.service(SERVICE)).toMatchObject({ status: undefined, instances: [] });
    expect(await engine.requestInstance(SERVICE)).toEqual({ number: 0 });
    await settle(cluster);
    expect(engine.service(SERVICE)).toMatchObject({
      status: 'RUNNING',
      instances: [{ number: 0, clusterId: CLUSTER, workerAddress: '192.0.2.9' }],
    });
    await engine.removeInstance(SERVICE, 0);
    await settle(cluster);
    expect(engine.service(SERVICE)).toMatchObject({ status: 'UNDEPLOYED', instances: [] });
    await expect(engine.removeInstance(SERVICE, 0)).rejects.toMatchObject({ code: 'instance-not-found' });
  });

  it('is not spoken of before it is on the disk', async () => {
    link(createTestCluster());
    await register();
    disk.setSlow(true);
    const requested = engine.requestInstance(SERVICE);
    await clock.advance(1000);
    expect(takeCommands().filter(({ type }) => type === 'deploy')).toEqual([]);
    disk.setSlow(false);
    await requested;
    await vi.waitFor(() => expect(takeCommands().map(({ type }) => type)).toContain('deploy'));
  });

  it('keeps what runs when there are too many, whatever is older', async () => {
    const cluster = createTestCluster();
    link(cluster);
    await register();
    await engine.requestInstance(SERVICE);
    await vi.waitFor(() => expect(sent.map(({ command }) => command.type)).toContain('deploy'));
    // Nobody obeys this one.
    takeCommands();
    await engine.setReplicas(SERVICE, 2);
    await settle(cluster);
    const states = () => engine.service(SERVICE)?.instances.map(({ number, status }) => [number, status]);
    expect(states()).toEqual([
      [0, 'CLUSTER_SCHEDULED'],
      [1, 'RUNNING'],
    ]);
    await engine.setReplicas(SERVICE, 1);
    expect(states()).toEqual([[1, 'RUNNING']]);
  });

  it('shows the instances of a service in the order of their numbers, and of no other service', async () => {
    await register();
    await register(OTHER, 'db');
    for (let count = 0; count < 12; count += 1) await engine.requestInstance(SERVICE);
    await engine.requestInstance(OTHER);
    expect(engine.service(SERVICE)?.instances.map(({ number }) => number)).toEqual(
      Array.from({ length: 12 }, (_, number) => number),
    );
    expect(engine.services().map(({ instances }) => instances.length)).toEqual([12, 1]);
    engine.stop();
    engine = await start();
    expect(engine.services().map(({ instances }) => instances.length)).toEqual([12, 1]);
  });
});

describe('a disk that is full', () => {
  it('rejects the change clearly, and the next one at once, and goes back to what was stored', async () => {
    await register();
    disk.setFull(true);
    await expect(engine.requestInstance(SERVICE)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'not-stored',
      message: expect.stringContaining('No space left'),
    });
    await expect(engine.requestInstance(SERVICE)).rejects.toMatchObject({
      code: 'not-stored',
      message: expect.stringContaining('No space left'),
    });
    for (let round = 0; round < 20; round += 1) {
      await clock.advance(10_000);
      // The store works in a thread of its own.
      await opened.meta.get('anything');
    }
    await expect(register(OTHER, 'db')).rejects.toMatchObject({ code: 'not-stored' });
    expect(dropLinks).toHaveBeenCalledTimes(1);
    expect(logged('error')).toEqual(['the store refused a write; going back to what it has']);
    disk.setFull(false);
    await vi.waitFor(async () => {
      await clock.advance(1000);
      expect(logged('info')).toContain('the store answers again');
    });
    expect(engine.service(SERVICE)?.instances).toEqual([]);
    expect(await engine.requestInstance(SERVICE)).toEqual({ number: 0 });
  });

  it('has every link opened anew afterwards, also those that opened meanwhile', async () => {
    const cluster = createTestCluster();
    link(cluster);
    await register();
    disk.setFull(true);
    await expect(engine.requestInstance(SERVICE)).rejects.toThrow();
    expect(dropLinks).toHaveBeenCalledTimes(1);
    // It comes back at once and greets a core that is out of work.
    link(cluster);
    disk.setFull(false);
    await vi.waitFor(async () => {
      await clock.advance(1000);
      expect(dropLinks).toHaveBeenCalledTimes(2);
    });
    expect(engine.clusterState(CLUSTER)?.isUp ?? false).toBe(false);
    link(cluster);
    await engine.requestInstance(SERVICE);
    await settle(cluster);
    expect(engine.service(SERVICE)?.status).toBe('RUNNING');
  });

  it('does not keep the root from stopping', async () => {
    disk.setFull(true);
    await expect(register()).rejects.toThrow();
    engine.stop();
    disk.setFull(false);
    await clock.advance(60_000);
    expect(dropLinks).toHaveBeenCalledTimes(1);
    expect(logged('info')).not.toContain('the store answers again');
  });
});

it('tells who still waits when it stops', async () => {
  disk.setSlow(true);
  const waiting = register().catch((error: OakestraError) => error);
  engine.stop();
  expect(await waiting).toMatchObject({
    code: 'not-stored',
    message: expect.stringContaining('the root is stopping'),
  });
  await expect(register(OTHER, 'db')).rejects.toMatchObject({ code: 'not-stored' });
});

it('sends the other commands when one cannot be sent', async () => {
  link(createTestCluster());
  await register();
  send = (cluster, command) => {
    if (command.type === 'deploy' && command.key.endsWith('/0'))
      throw new Error('larger than the peer takes');
    sent.push({ cluster, command });
    return true;
  };
  expect(await engine.requestInstance(SERVICE)).toEqual({ number: 0 });
  expect(await engine.requestInstance(SERVICE)).toEqual({ number: 1 });
  expect(takeCommands().map((command) => 'key' in command && command.key)).toContain(`${SERVICE}/1`);
  expect(lines).toContainEqual(
    expect.objectContaining({
      message: 'a command could not be sent',
      fields: { cluster: CLUSTER, type: 'deploy', reason: 'larger than the peer takes' },
    }),
  );
});

describe('figures of usage', () => {
  const figures = { cpuPercent: 2, memoryBytes: 1000, diskBytes: 10 };

  it('count only from the cluster that holds the instance, and keep the output that did not change', async () => {
    const cluster = createTestCluster();
    link(cluster);
    await register();
    await engine.requestInstance(SERVICE);
    await settle(cluster);
    const key = `${SERVICE}/0`;
    engine.clusterReport(OTHER, { type: 'usage', rows: [{ key, ...figures, logs: 'lies' }] });
    expect(engine.service(SERVICE)?.instances[0]).toMatchObject({ cpuPercent: undefined, logs: '' });
    engine.clusterReport(CLUSTER, { type: 'usage', rows: [{ key, ...figures, logs: 'ready\n' }] });
    engine.clusterReport(CLUSTER, { type: 'usage', rows: [{ key, ...figures, cpuPercent: 7 }] });
    expect(engine.service(SERVICE)?.instances[0]).toMatchObject({ cpuPercent: 7, logs: 'ready\n' });
    engine.clusterReport(CLUSTER, { type: 'usage', rows: [{ key, ...figures, logs: 'x'.repeat(100_000) }] });
    expect(engine.service(SERVICE)?.instances[0]?.logs).toHaveLength(8192);
  });
});

describe('a service that is learned from below', () => {
  /** A cluster that runs an instance which this root has never heard of. */
  async function adopt(serviceId: string): Promise<void> {
    const cluster = createTestCluster();
    const epoch = { root: 5, cluster: 0 };
    const document = serviceDocument(serviceId);
    const key = `${serviceId}/0`;
    cluster.obey({ type: 'deploy', key, epoch, document, ownerUserId: USER });
    link(cluster);
    for (let round = 0; round < 50 && !adopted.some(({ id }) => id === serviceId); round += 1) {
      for (const command of takeCommands()) {
        say(CLUSTER, cluster.obey(command));
        if (command.type !== 'describe') continue;
        say(CLUSTER, [
          { type: 'described', key, epoch: { root: 5, cluster: 1 }, document, ownerUserId: USER },
        ]);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      await clock.advance(100);
    }
    expect(adopted.map(({ id }) => id)).toContain(serviceId);
  }

  it('is kept beside a younger one of the same name, which keeps the name', async () => {
    await register(OTHER);
    await adopt(SERVICE);
    expect(engine.services()).toHaveLength(2);
    expect(engine.serviceByJobName('shop.default.web.default')?.id).toBe(OTHER);
    expect(logged('error')).toEqual([]);
    engine.stop();
    engine = await start();
    expect(engine.services()).toHaveLength(2);
    expect(engine.serviceByJobName('shop.default.web.default')?.id).toBe(OTHER);
    await engine.removeService(OTHER);
    expect(engine.serviceByJobName('shop.default.web.default')?.id).toBe(SERVICE);
    await expect(register('3'.repeat(24))).rejects.toMatchObject({ code: 'service-exists' });
    await engine.removeService(SERVICE);
    expect(engine.serviceByJobName('shop.default.web.default')).toBeUndefined();
    await register('3'.repeat(24));
  });
});

describe('a cluster that an operator cares for', () => {
  it('is drained also after a restart, and refuses to be removed until it is empty', async () => {
    const cluster = createTestCluster();
    link(cluster);
    await register();
    await engine.requestInstance(SERVICE);
    await settle(cluster);
    const remove = (isForced: boolean) => engine.setClusterAvailability(CLUSTER, 'removed', { isForced });
    await expect(remove(false)).rejects.toMatchObject({ code: 'cluster-not-empty' });
    await engine.setClusterAvailability(CLUSTER, 'draining', { isForced: false });
    engine.stop();
    engine = await start();
    expect(engine.clusterState(CLUSTER)?.mark.availability).toBe('draining');
    const other = createTestCluster('b'.repeat(32));
    const otherId = 'a'.repeat(24);
    link(cluster);
    link(other, otherId);
    const both = async () => {
      for (let round = 0; round < 20; round += 1) {
        await clock.advance(500);
        await new Promise((resolve) => setImmediate(resolve));
        for (const { cluster: id, command } of sent.splice(0)) {
          say(id, (id === CLUSTER ? cluster : other).obey(command));
        }
      }
    };
    await vi.waitFor(async () => {
      await both();
      expect(engine.service(SERVICE)?.instances).toMatchObject([{ clusterId: otherId, status: 'RUNNING' }]);
      expect(engine.clusterState(CLUSTER)?.keys.size).toBe(0);
    });
    await remove(false);
    await engine.setClusterAvailability(CLUSTER, 'open', { isForced: false });
    engine.clusterDown(CLUSTER, { kind: 'reset' });
    await remove(false);
    await expect(engine.setClusterAvailability(CLUSTER, 'open', { isForced: false })).rejects.toMatchObject({
      code: 'cluster-not-cleared',
    });
  });

  it('and why nothing fits is shown as data', async () => {
    link(createTestCluster());
    const document = { ...serviceDocument(SERVICE), memory: 99_000 };
    await engine.registerService({ id: SERVICE, ownerUserId: USER, document });
    await engine.requestInstance(SERVICE);
    await vi.waitFor(() =>
      expect(engine.service(SERVICE)?.instances[0]?.placement).toMatchObject({
        ...{ code: 'nobody-fits', memberKind: 'cluster' },
        rejections: [{ member: CLUSTER, code: 'memory', wanted: 99_000, available: 16_000 }],
      }),
    );
  });
});

describe('a global service', () => {
  it('is assigned to clusters whose labels match, and changed by nobody', async () => {
    const document = {
      ...serviceDocument(SERVICE),
      mode: 'global',
      selector: { cluster: { site: 'plant' } },
    };
    const other = 'a'.repeat(24);
    const at = (id: string, site: string) => {
      const cluster = createTestCluster(id.slice(0, 8));
      engine.clusterUp(id, cluster.greeting);
      const reports = cluster.opening();
      const said = reports.map((one) => (one.type === 'digest' ? { ...one, assignments: [] } : one));
      say(
        id,
        said.map((one) => (one.type === 'facts' ? { ...one, labels: { site } } : one)),
      );
    };
    at(CLUSTER, 'plant');
    at(other, 'office');
    await engine.registerService({ id: SERVICE, ownerUserId: USER, document });
    const assigned = () =>
      sent.filter(({ command }) => command.type === 'assign').map(({ cluster }) => cluster);
    await vi.waitFor(() => expect(assigned()).toEqual([CLUSTER]));
    for (const change of [
      () => engine.requestInstance(SERVICE),
      () => engine.setReplicas(SERVICE, 2),
      () => engine.removeInstance(SERVICE, 1),
    ]) {
      await expect(change()).rejects.toMatchObject({ code: 'service-global' });
    }
    sent.splice(0);
    await engine.removeService(SERVICE);
    expect(engine.service(SERVICE)).toBeUndefined();
  });
});
