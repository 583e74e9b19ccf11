import { join } from 'node:path';
import type { Greeting, TierCommand } from '@oakestra/contracts';
import {
  type ConnectTransport,
  dialLink,
  type LinkConnection,
  type LinkDialer,
} from '@oakestra/contracts/link';
import { grpcConnect } from '@oakestra/contracts/link/grpc';
import { createRegistrationClient } from '@oakestra/contracts/registration';
import { systemClock, systemRandom } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import { identityOf, openTestAuthority } from '@oakestra/pki/testing';
import type { Store } from '@oakestra/store';
import { openTestStore, recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { FACTS } from '../testing/test-cluster.ts';
import {
  type ClusterLinks,
  createClusterLinks,
  type LegacyAdmission,
  type LinkedEngine,
  type LinkedFleet,
} from './links.ts';
import { type ClusterRegistry, openClusterRegistry } from './registry.ts';
import { type ClustersSchema, clustersMigrations } from './schema.ts';

const SERVER_NAME = 'root.oakestra.internal';
const GREETING: Greeting = { incarnation: 'c'.repeat(32), boot: 1, highestEpoch: { root: 0, cluster: 0 } };
const NO_LEGACY: LegacyAdmission = {
  has: () => false,
  register: () => Promise.reject(new Error('nobody gets here')),
};
const clock = systemClock();
const random = systemRandom();

let certificates: Awaited<ReturnType<typeof temporaryFolder>>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let rootTls: TlsIdentity;
let edgeTls: TlsIdentity;
let workerTls: TlsIdentity;
let strangerTls: TlsIdentity;
let store: Store<ClustersSchema>;
let registry: ClusterRegistry;
let links: ClusterLinks;
let endpoint: string;
let events: unknown[][];
const dialers: LinkDialer[] = [];
const log = vi.fn();

beforeAll(async () => {
  certificates = await temporaryFolder();
  const ours = await openTestAuthority(join(certificates.path, 'ours'));
  const strangers = await openTestAuthority(join(certificates.path, 'strangers'));
  rootTls = await identityOf(ours, { role: 'root', name: 'root', dnsNames: [SERVER_NAME] });
  edgeTls = await identityOf(ours, { role: 'cluster', name: 'edge' });
  workerTls = await identityOf(ours, { role: 'worker', name: 'edge' });
  strangerTls = await identityOf(strangers, { role: 'cluster', name: 'edge' });
});
afterAll(() => certificates.remove());

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openTestStore(join(folder.path, 'root.db'), clustersMigrations);
  registry = await openClusterRegistry(store, random);
  events = [];
  log.mockReset();
  links = createClusterLinks({
    ...{ host: '127.0.0.1', port: 0, tls: rootTls, registry, clock, random, restartGraceMs: 7000 },
    ...{ isLegacyAddress: () => false, legacy: NO_LEGACY },
    logger: recordingLogger(log),
  });
  const fleet: LinkedFleet = {
    clusterUp: () => {},
    clusterDown: () => {},
    clusterFacts: () => {},
    report: (...args) => void events.push(['fleet', ...args]),
  };
  const engine: LinkedEngine = {
    clusterUp: (...args) => void events.push(['up', ...args]),
    clusterDown: (...args) => void events.push(['down', ...args]),
    clusterReport: (...args) => void events.push(['report', ...args]),
    clusterState: () => undefined,
    incarnation: () => 'r'.repeat(32),
  };
  endpoint = `127.0.0.1:${await links.listen(engine, fleet)}`;
});
afterEach(async () => {
  for (const dialer of dialers.splice(0)) await dialer.stop();
  await links.stop();
  await store.close();
  await folder.remove();
});

async function register(tls: TlsIdentity, clusterName: string, timeoutMs = 5000): Promise<string> {
  const client = createRegistrationClient({ endpoint, tls, timeoutMs, serverName: SERVER_NAME });
  try {
    return await client.register({
      clusterName,
      clusterLocation: 'here',
      managerPort: 10_100,
      networkComponentPort: 10_110,
      clusterInfo: {},
      advertisedAddress: undefined,
      token: undefined,
    });
  } finally {
    client.close();
  }
}

interface Dialled {
  readonly dialer: LinkDialer;
  readonly opened: Promise<LinkConnection>;
  readonly failure: Promise<string>;
  readonly ends: unknown[];
  readonly received: unknown[];
}

function dial(tls: TlsIdentity, name = 'edge', bootId = 'p', connect?: ConnectTransport): Dialled {
  let settle: { opened(connection: LinkConnection): void; failed(message: string): void };
  const ends: unknown[] = [];
  const received: unknown[] = [];
  const opened = new Promise<LinkConnection>((resolve) => {
    settle = { ...settle, opened: resolve };
  });
  const failure = new Promise<string>((resolve) => {
    settle = { ...settle, failed: resolve };
  });
  const dialer = dialLink({
    endpoints: [endpoint],
    identity: {
      role: 'cluster',
      name,
      incarnation: GREETING.incarnation,
      bootId,
      capabilities: ['juggling'],
    },
    clock,
    // The slowest retry, so that a test sees one thing after the other.
    random: { ...random, fraction: () => 1 },
    connect: connect ?? grpcConnect({ tls: () => tls, serverName: SERVER_NAME }),
    onUp(connection) {
      connection.onMessage(({ body }) => void received.push(body));
      settle.opened(connection);
    },
    onDown: (end) => void ends.push(end),
    onUnreachable: ({ message }) => settle.failed(message),
  });
  dialers.push(dialer);
  return { dialer, opened, failure, ends, received };
}

const greet = (connection: LinkConnection) => connection.send('status', 'greeting', GREETING);
const kinds = () => events.map(([kind]) => kind);

describe('registration', () => {
  it('gives a name the same id for ever, and writes only what is new', async () => {
    const id = await register(edgeTls, 'edge');
    const { batches } = store.statistics;
    expect(await register(edgeTls, 'edge')).toBe(id);
    expect(store.statistics.batches).toBe(batches);
    const reopened = await openClusterRegistry(store, random);
    expect(reopened.byId(id)).toEqual({
      id,
      name: 'edge',
      location: 'here',
      address: '127.0.0.1',
      port: 10_100,
    });
    expect(reopened.byName('edge')?.id).toBe(id);
  });

  it('gives one id to a cluster that asks several times at once', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => register(edgeTls, 'edge')));
    expect(new Set(ids).size).toBe(1);
    expect(registry.all()).toHaveLength(1);
  });

  it('is possible only under the name and role of the certificate', async () => {
    await expect(register(edgeTls, 'other')).rejects.toMatchObject({
      kind: 'forbidden',
      message: expect.stringContaining('only under the name of its certificate, not as "other"'),
    });
    await expect(register(workerTls, 'edge')).rejects.toMatchObject({ kind: 'forbidden' });
    await expect(register(strangerTls, 'edge', 300)).rejects.toThrow();
    expect(registry.all()).toEqual([]);
  });
});

describe('a link', () => {
  it('carries greeting, reports and commands, and tells how it ended', async () => {
    const id = await register(edgeTls, 'edge');
    const { dialer, opened, received } = dial(edgeTls);
    const connection = await opened;
    const sync: TierCommand = { type: 'sync', want: 'digest' };
    expect(links.send(id, sync)).toBe(false);
    greet(connection);
    connection.send('reports', 'facts', FACTS);
    await vi.waitFor(() => expect(kinds()).toEqual(['up', 'report']));
    expect(events).toEqual([
      ['up', id, GREETING],
      ['report', id, { ...FACTS, capabilities: ['juggling'] }],
    ]);
    expect(links.lastSeenAtMs(id)).toBeGreaterThan(Date.now() - 10_000);
    expect(links.send(id, sync)).toBe(true);
    await vi.waitFor(() => expect(received).toEqual([sync]));
    await dialer.stop({ reason: 'restarting', graceMs: 4000 });
    await vi.waitFor(() => expect(kinds()).toEqual(['up', 'report', 'down']));
    expect(events[2]).toEqual(['down', id, { kind: 'restarting', graceMs: 4000 }]);
    expect(links.send(id, sync)).toBe(false);
  });

  it('is not heard before its greeting', async () => {
    await register(edgeTls, 'edge');
    const connection = await dial(edgeTls).opened;
    connection.send('reports', 'facts', FACTS);
    const heard = expect.objectContaining({ message: 'message received' });
    await vi.waitFor(() => expect(log).toHaveBeenCalledWith(heard));
    greet(connection);
    await vi.waitFor(() => expect(kinds()).toEqual(['up']));
  });

  it('survives messages that make no sense', async () => {
    await register(edgeTls, 'edge');
    const connection = await dial(edgeTls).opened;
    connection.send('status', 'greeting', { incarnation: 7 });
    greet(connection);
    connection.send('status', 'changes', 'nonsense');
    connection.send('reports', 'facts', { ...FACTS, vcpus: 'many' });
    connection.send('reports', 'facts', FACTS);
    await vi.waitFor(() => expect(kinds()).toEqual(['up', 'report']));
    const warnings = log.mock.calls.filter(([line]) => line.level === 'warn');
    expect(warnings.map(([line]) => line.message)).toEqual(
      Array.from({ length: 3 }, () => 'a message of a cluster was ignored'),
    );
  });

  it('is replaced by a second one of the same cluster: down, then up again, and the old one is not heard', async () => {
    const id = await register(edgeTls, 'edge');
    const first = dial(edgeTls);
    const older = await first.opened;
    greet(older);
    await vi.waitFor(() => expect(kinds()).toEqual(['up']));
    const second = dial(edgeTls, 'edge', 'q');
    const newer = await second.opened;
    greet(newer);
    older.send('reports', 'facts', { ...FACTS, vcpus: 1 });
    await older.closed;
    newer.send('reports', 'facts', FACTS);
    await vi.waitFor(() => expect(kinds().at(-1)).toBe('report'));
    // Whether the end of the old one or the greeting of the new one is seen first, the new one counts in the end.
    expect([
      ['up', 'down', 'up', 'report'],
      ['up', 'up', 'report'],
    ]).toContainEqual(kinds());
    expect(events.at(-1)).toEqual(['report', id, { ...FACTS, capabilities: ['juggling'] }]);
    await first.dialer.stop();
    expect(links.send(id, { type: 'sync', want: 'digest' })).toBe(true);
    await vi.waitFor(() => expect(second.received).toHaveLength(1));
  });

  it('is closed when the cluster has not registered, and says why in the log', async () => {
    await dial(edgeTls).failure;
    expect(log.mock.calls.map(([line]) => line.message)).toContain(
      'a cluster opened its link before it registered',
    );
    expect(events).toEqual([]);
  });

  it.each([
    ['a worker', () => workerTls, 'edge', /Only clusters/],
    ['a cluster under the name of another', () => edgeTls, 'other', /speaks only for itself/],
    ['a stranger', () => strangerTls, 'edge', /./],
  ])('is refused to %s', async (_who, tls, name, reason) => {
    await register(edgeTls, 'edge');
    expect(await dial(tls(), name).failure).toMatch(reason);
    expect(events).toEqual([]);
  });

  it('is announced as restarting when the root stops', async () => {
    await register(edgeTls, 'edge');
    const { opened, ends } = dial(edgeTls);
    greet(await opened);
    await vi.waitFor(() => expect(kinds()).toEqual(['up']));
    await links.stop();
    await vi.waitFor(() => expect(ends).toHaveLength(1));
    expect(ends[0]).toMatchObject({ kind: 'bye', reason: 'restarting', graceMs: 7000 });
  });

  it('does not keep the root from stopping when the cluster is frozen', async () => {
    await register(edgeTls, 'edge');
    const connect = grpcConnect({ tls: () => edgeTls, serverName: SERVER_NAME });
    let isFrozen = false;
    const { opened } = dial(edgeTls, 'edge', 'p', async (...args) => {
      const transport = await connect(...args);
      return {
        ...transport,
        start: (given) =>
          transport.start({ ...given, onBytes: (bytes) => void (isFrozen || given.onBytes(bytes)) }),
        close() {},
      };
    });
    greet(await opened);
    await vi.waitFor(() => expect(kinds()).toEqual(['up']));
    isFrozen = true;
    const startedMs = performance.now();
    await links.stop();
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  it('is cut by dropAll, which the cluster takes for a failure and comes back', async () => {
    const id = await register(edgeTls, 'edge');
    const { opened, ends } = dial(edgeTls);
    greet(await opened);
    await vi.waitFor(() => expect(kinds()).toEqual(['up']));
    links.dropAll();
    await vi.waitFor(() => expect(ends).toHaveLength(1));
    expect(ends[0]).toMatchObject({ kind: 'reset' });
    await vi.waitFor(() => expect(events.at(-1)).toEqual(['down', id, { kind: 'reset' }]));
  });
});

it('says which setting helps when the port is taken', async () => {
  const port = Number(endpoint.slice(endpoint.lastIndexOf(':') + 1));
  const second = createClusterLinks({
    ...{ host: '127.0.0.1', port, tls: rootTls, registry, clock, random, restartGraceMs: 7000 },
    ...{ isLegacyAddress: () => false, legacy: NO_LEGACY },
    logger: recordingLogger(),
  });
  const engine = { incarnation: () => 'r'.repeat(32) } as LinkedEngine;
  await expect(second.listen(engine, {} as LinkedFleet)).rejects.toMatchObject({
    code: 'port-taken',
    message: expect.stringContaining('--cluster-port'),
  });
  await second.stop();
});
