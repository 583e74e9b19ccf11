import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Greeting, TierCommand, TierReport } from '@oakestra/contracts';
import { encodeDeploy, encodeRemove } from '@oakestra/contracts/worker-wire';
import { systemClock, systemRandom } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import { identityOf, openTestAuthority, recordingLogger } from '@oakestra/pki/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDownlink, type Downlink, type DownlinkOptions } from './downlink.ts';
import { startTestCluster, type TestCluster, WORKER_ID } from './test-cluster.ts';

const GREETING: Greeting = { incarnation: 'w'.repeat(32), boot: 3, highestEpoch: { root: 1, cluster: 2 } };
const SERVICE = '1'.repeat(24);
const DOCUMENT = {
  ...{ microserviceID: SERVICE, applicationID: 'a'.repeat(24), job_name: 'shop.default.web.default' },
  ...{ app_name: 'shop', app_ns: 'default', service_name: 'web', service_ns: 'default' },
  ...{ virtualization: 'docker', image: 'nginx', code: 'nginx', environment: ['GREETING=grüß dich 🚢'] },
};
const EPOCH = { root: 4, cluster: 5 };
const clock = systemClock();

let folder: string;
let clusterTls: TlsIdentity;
let workerTls: TlsIdentity;
let strangerTls: TlsIdentity;
let rootTls: TlsIdentity;
let cluster: TestCluster;
let lines: { message: string; fields: Readonly<Record<string, unknown>> }[];
let commands: TierCommand[];
let contacts: number[];
let calls: string[];
const started: Downlink[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-downlink-'));
  const ours = await openTestAuthority(join(folder, 'ours'));
  const strangers = await openTestAuthority(join(folder, 'strangers'));
  clusterTls = await identityOf(ours, { role: 'cluster', name: 'edge' });
  rootTls = await identityOf(ours, { role: 'root', name: 'root' });
  workerTls = await identityOf(ours, { role: 'worker', name: 'w1' });
  strangerTls = await identityOf(strangers, { role: 'cluster', name: 'edge' });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  [lines, commands, contacts, calls] = [[], [], [], []];
  cluster = await startTestCluster(clusterTls);
});
afterEach(async () => {
  for (const downlink of started.splice(0)) await downlink.stop();
  await cluster.close();
  for (const server of servers.splice(0)) server.close();
});

function create(options: Partial<DownlinkOptions> = {}): Downlink {
  const downlink = createDownlink({
    host: '127.0.0.1',
    apiPort: cluster.apiPort,
    tls: workerTls,
    clock,
    random: systemRandom(),
    logger: recordingLogger(lines),
    keepaliveSeconds: 1,
    restartGraceMs: 9000,
    registration: async () => ({ host: 'w1', id: '', vcpus: 4 }),
    greeting: () => GREETING,
    onRegistered: (workerId) => void calls.push(`registered ${workerId}`),
    onUp: () => void calls.push('up'),
    onDown: () => void calls.push('down'),
    onCommand: (command) => void commands.push(command),
    onContact: (sentAtMs) => void contacts.push(sentAtMs),
    ...options,
  });
  started.push(downlink);
  return downlink;
}

async function connect(options: Partial<DownlinkOptions> = {}): Promise<Downlink> {
  const downlink = create(options);
  downlink.start();
  await vi.waitFor(() => expect(cluster.messages.length).toBeGreaterThan(0), 5000);
  return downlink;
}

async function elapsedMs(work: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work;
  return performance.now() - startedMs;
}

const topic = (suffix: string) => `nodes/${WORKER_ID}/${suffix}`;

describe('a worker that comes', () => {
  it('registers, subscribes to its own commands only, and greets before anything else', async () => {
    const downlink = await connect();
    expect(cluster.registrations).toEqual([{ host: 'w1', id: '', vcpus: 4, capabilities: ['tier-1'] }]);
    expect(cluster.clients()).toEqual([`${WORKER_ID}-ne`]);
    expect(cluster.subscriptions()).toEqual(['control/deploy', 'control/delete', 'control/tier'].map(topic));
    expect(cluster.messages).toEqual([{ topic: topic('greeting'), qos: 1, retain: false, body: GREETING }]);
    expect(calls).toEqual([`registered ${WORKER_ID}`, 'up']);
    expect(downlink.isConnected()).toBe(true);
  });

  it('tells what it has to report, and nothing while it is not connected', async () => {
    const report: TierReport = { type: 'usage', rows: [] };
    const early = create();
    early.send(report);
    const downlink = await connect();
    downlink.send(report);
    await vi.waitFor(() =>
      expect(cluster.messages.slice(1)).toEqual([
        { topic: topic('report'), qos: 1, retain: false, body: report },
      ]),
    );
  });

  it('is in contact by the time at which it asked, not at which it was answered', async () => {
    const beforeMs = clock.monotonicMs();
    const answeredAfterMs: number[] = [];
    await connect({
      onContact(sentAtMs) {
        contacts.push(sentAtMs);
        answeredAfterMs.push(clock.monotonicMs() - sentAtMs);
      },
    });
    await vi.waitFor(() => expect(contacts.length).toBeGreaterThanOrEqual(3), 10_000);
    expect(contacts[0]).toBeGreaterThanOrEqual(beforeMs);
    for (const [index, atMs] of contacts.entries()) {
      if (index > 0) expect(atMs).toBeGreaterThan(contacts[index - 1] ?? 0);
    }
    expect(Math.min(...answeredAfterMs)).toBeGreaterThan(0);
  }, 20_000);
});

describe('commands', () => {
  const key = `${SERVICE}/7`;
  const deploy = { type: 'deploy' as const, key, epoch: EPOCH, document: DOCUMENT, ownerUserId: 'u' };
  const remove = { type: 'remove' as const, key, epoch: EPOCH, reason: 'tombstone' as const };
  const sync = { type: 'sync' as const, want: 'digest' as const };

  it('arrive as they were given, in the compatible messages', async () => {
    await connect();
    await cluster.command(topic('control/deploy'), encodeDeploy(deploy));
    await cluster.command(topic('control/delete'), encodeRemove(remove, DOCUMENT));
    await cluster.command(topic('control/tier'), JSON.stringify(sync));
    await vi.waitFor(() => expect(commands).toEqual([deploy, remove, sync]));
  });

  it('that make no sense are ignored, said, and harm nothing', async () => {
    await connect();
    for (const text of ['', 'no json', '[]', '{"type":"shutdown"}', '{"_id":"x"}']) {
      await cluster.command(topic('control/deploy'), text);
      await cluster.command(topic('control/tier'), text);
    }
    await cluster.command(topic('control/tier'), JSON.stringify(sync));
    await vi.waitFor(() => expect(commands).toEqual([sync]));
    expect(lines.filter(({ message }) => message === 'a command of the cluster was ignored')).toHaveLength(
      10,
    );
  });

  it('go on when one of them cannot be carried out', async () => {
    await connect({
      onCommand(command) {
        commands.push(command);
        if (commands.length === 1) throw new Error('not today');
      },
    });
    await cluster.command(topic('control/tier'), JSON.stringify(sync));
    await cluster.command(topic('control/tier'), JSON.stringify(sync));
    await vi.waitFor(() => expect(commands).toHaveLength(2));
  });
});

describe('a connection that ends', () => {
  it('is opened again, registration and greeting included', async () => {
    await connect();
    cluster.cutAll();
    await vi.waitFor(() => expect(calls.filter((call) => call === 'up')).toHaveLength(2), 5000);
    await vi.waitFor(() => expect(cluster.messages).toHaveLength(2));
    expect(cluster.registrations).toHaveLength(2);
    expect(calls).toEqual([
      ...[`registered ${WORKER_ID}`, 'up', 'down'],
      ...[`registered ${WORKER_ID}`, 'up'],
    ]);
  });

  it('is noticed when the cluster falls silent', async () => {
    await connect();
    cluster.freeze();
    await vi.waitFor(() => expect(calls).toContain('down'), 8000);
  }, 20_000);
});

describe('a cluster that is not to be used', () => {
  const reasonOf = async (options: Partial<DownlinkOptions>): Promise<string> => {
    create(options).start();
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(0), 5000);
    expect(calls).not.toContain('up');
    return String(lines[0]?.fields.reason);
  };

  it('is not reached: said once, and tried again', async () => {
    const server = createServer((socket) => socket.destroy());
    servers.push(server);
    const apiPort = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    expect(await reasonOf({ apiPort })).toMatch(/cannot be reached/);
    const tries = (): number => lines.filter(({ message }) => message.startsWith('cannot reach')).length;
    await vi.waitFor(() => expect(tries()).toBeGreaterThanOrEqual(3), 5000);
  });

  it('refuses the registration: its reason is passed on', async () => {
    cluster.answerWith({ status: 403, body: '{"message":"a worker registers only itself"}' });
    expect(await reasonOf({})).toMatch(/refused the registration \(403\).*registers only itself/);
  });

  it.each([
    ['an answer that is no JSON', 'OK'],
    ['a port that is a number', '{"id":"x","MQTT_BROKER_PORT":10003,"capabilities":["tier-1"]}'],
    ['an answer without end', 'x'.repeat(200_000)],
  ])('gives %s', async (_what, body) => {
    cluster.answerWith({ status: 200, body });
    expect(await reasonOf({})).toMatch(/not understood|too long/);
  });

  it('does not know our messages: the worker says that it has to be upgraded', async () => {
    cluster.answerWith({ status: 200, body: `{"id":"${WORKER_ID}","MQTT_BROKER_PORT":"1"}` });
    expect(await reasonOf({})).toMatch(/upgrade the cluster/);
  });

  it('has a certificate of another authority, or another role', async () => {
    for (const tls of [strangerTls, rootTls]) {
      const imposter = await startTestCluster(tls);
      lines.length = 0;
      expect(await reasonOf({ apiPort: imposter.apiPort })).toMatch(/cannot be reached/);
      await imposter.close();
      expect(imposter.registrations).toEqual([]);
    }
  });
});

describe('the stop', () => {
  it('announces a restart, is acknowledged, and ends the connection', async () => {
    const downlink = await connect();
    expect(await elapsedMs(downlink.stop())).toBeLessThan(1000);
    expect(cluster.messages.at(-1)).toMatchObject({
      topic: topic('presence'),
      qos: 1,
      body: { state: 'restarting', graceMs: 9000 },
    });
    await vi.waitFor(() => expect(cluster.clients()).toEqual([]));
    expect(downlink.isConnected()).toBe(false);
    expect(lines.map(({ message }) => message)).not.toContain('the connection to the cluster ended');
    await downlink.stop();
    expect(cluster.registrations).toHaveLength(1);
  });

  it('does not wait for a cluster that is frozen', async () => {
    const downlink = await connect();
    cluster.freeze();
    downlink.send({ type: 'usage', rows: [] });
    expect(await elapsedMs(downlink.stop())).toBeLessThan(1300);
  });

  it.each(['registering', 'connecting'] as const)('does not wait while it is %s', async (state) => {
    const sockets = new Set<Socket>();
    // Takes connections and says nothing.
    const deaf = createServer((socket) => void sockets.add(socket));
    servers.push(deaf);
    const port = await new Promise<number>((resolve) => {
      deaf.listen(0, '127.0.0.1', () => resolve((deaf.address() as { port: number }).port));
    });
    if (state === 'connecting') {
      const body = { id: WORKER_ID, MQTT_BROKER_PORT: String(port), capabilities: ['tier-1'] };
      cluster.answerWith({ status: 200, body: JSON.stringify(body) });
    }
    const downlink = create(state === 'registering' ? { apiPort: port } : {});
    downlink.start();
    await vi.waitFor(() => expect(sockets.size).toBe(1), 5000);
    expect(await elapsedMs(downlink.stop())).toBeLessThan(500);
    expect(calls).not.toContain('up');
    for (const socket of sockets) socket.destroy();
  });

  it('is possible before the start', async () => {
    await create().stop();
  });
});
