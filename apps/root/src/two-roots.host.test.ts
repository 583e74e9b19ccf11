import https from 'node:https';
import { join } from 'node:path';
import type { TierCommand } from '@oakestra/contracts';
import { dialLink, type LinkDialer } from '@oakestra/contracts/link';
import { grpcConnect } from '@oakestra/contracts/link/grpc';
import { createRegistrationClient } from '@oakestra/contracts/registration';
import { createLifecycle, type Lifecycle, type Logger, systemClock, systemRandom } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import { openAuthority } from '@oakestra/pki/authority';
import { identityOf } from '@oakestra/pki/testing';
import { recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { startTestPostgres, type TestPostgres } from '@oakestra/store/testing/postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { composeRoot } from './compose.ts';
import { exportIdentity, importIdentity } from './maintenance/index.ts';
import type { RootSettings } from './settings.ts';
import { createTestCluster, runningInstance, startOriginalCluster } from './testing/index.ts';

const PASSWORD = 'correct horse battery staple';
const SERVER_NAME = 'root.oakestra.internal';
const WAIT = { timeout: 15_000, interval: 20 };
const clock = systemClock();
const random = systemRandom();

let server: TestPostgres;
let database = 0;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const running: Lifecycle[] = [];
const dialers: LinkDialer[] = [];

beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  folder = await temporaryFolder();
  database += 1;
  await server.createDatabase(`roots_${database}`);
});
afterEach(async () => {
  for (const dialer of dialers.splice(0)) await dialer.stop();
  for (const lifecycle of running.splice(0)) await lifecycle.stop('the test is over');
  await folder.remove();
});

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface TestRoot {
  readonly apiPort: number;
  readonly clusterPort: number;
  readonly lines: readonly { readonly level: string; readonly message: string }[];
  stop(): Promise<void>;
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Rejects what is not answered with success. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  leads(): Promise<boolean>;
}

let token: string;

/** The first one makes the identity that the others take over. */
async function startRoot(name: string, changes: Partial<RootSettings> = {}): Promise<TestRoot> {
  const stateDirectory = join(folder.path, name);
  const archive = join(folder.path, 'identity');
  if (name !== 'first') {
    await exportIdentity(join(folder.path, 'first'), archive).catch(() => {});
    await importIdentity(archive, stateDirectory);
  }
  const lines: { level: string; message: string }[] = [];
  const ports = { apiPort: 0, clusterPort: 0 };
  const logger: Logger = recordingLogger(({ level, message, fields }) => {
    lines.push({ level, message });
    if (message === 'root is ready') Object.assign(ports, fields);
  });
  const lifecycle = createLifecycle({ logger, clock });
  composeRoot({
    ...{ version: 'test', settings: { ...settingsOf(stateDirectory), ...changes } },
    ...{ lifecycle, logger, clock, random },
  });
  await lifecycle.start();
  running.push(lifecycle);
  const root: TestRoot = {
    ...{ ...ports, lines },
    async stop() {
      running.splice(running.indexOf(lifecycle), 1);
      expect(await lifecycle.stop('the test wants it')).toMatchObject({ abandoned: [], failed: [] });
    },
    ask: (method, path, body, headers) => ask(ports.apiPort, { method, path, body, headers }),
    async call<T>(method: string, path: string, body?: unknown) {
      const answer = await root.ask(method, path, body);
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
      return answer.body as T;
    },
    async leads() {
      const { body } = await root.ask('GET', '/metrics');
      return /^oakestra_root_leader 1$/m.test(String(body));
    },
  };
  const login = { username: 'Admin', password: PASSWORD };
  ({ token } = await root.call<{ token: string }>('POST', '/api/auth/login', login));
  return root;
}

function settingsOf(stateDirectory: string): RootSettings {
  return {
    listen: '127.0.0.1',
    ...{ apiPort: 0, clusterPort: 0, peerPort: 0, abstractorPort: 0, keyPort: 0 },
    auxiliaryListen: '127.0.0.1',
    ...{
      allowLegacy: [],
      adoptLegacy: false,
      corsOrigins: [],
      certificateNames: [],
      legacyAdminPassword: false,
    },
    ...{ adminPassword: PASSWORD, jwtPrivateKey: undefined, jwtPublicKey: undefined },
    ...{ mailHost: undefined, mailPort: 465, mailSecurity: 'tls', mailUser: undefined },
    ...{ mailPassword: undefined, mailFrom: undefined, mailLinkBase: undefined, advertise: undefined },
    sealingKeyFile: undefined,
    ...{ stateDirectory, databaseUrl: server.url(`roots_${database}`).reveal(), restartGraceMs: 1000 },
  };
}

function ask(
  port: number,
  given: {
    readonly method: string;
    readonly path: string;
    readonly body?: unknown;
    readonly headers?: Record<string, string> | undefined;
  },
): Promise<Answer> {
  const { method, path, body } = given;
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...given.headers,
  };
  const target = { host: '127.0.0.1', port, method, path, headers, rejectUnauthorized: false, agent: false };
  return new Promise((resolve, reject) => {
    const call = https.request(target, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        const isJson = String(response.headers['content-type']).includes('json');
        resolve({ status: response.statusCode ?? 0, body: isJson && text !== '' ? JSON.parse(text) : text });
      });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const slaOf = (name: string) => ({
  sla_version: 'v2.0',
  customerID: 'Admin',
  applications: [
    {
      application_name: name,
      application_namespace: 'test',
      microservices: [
        {
          ...{ microservice_name: 'web', microservice_namespace: 'test' },
          ...{ virtualization: 'container', code: 'nginx', memory: 10 },
        },
      ],
    },
  ],
});

async function submit(root: TestRoot, name: string): Promise<string> {
  const { applications } = await root.call<{ applications: { serviceIds: string[] }[] }>(
    ...(['POST', '/api/v2/applications', slaOf(name)] as const),
  );
  return applications[0]?.serviceIds[0] ?? '';
}

const instancesOf = async (root: TestRoot, serviceId: string) =>
  (
    await root.call<{ instances: { number: number; status: string }[] }>(
      'GET',
      `/api/v2/services/${serviceId}`,
    )
  ).instances;

/** Live events of a root. */
function listen(root: TestRoot, lastId?: string) {
  let text = '';
  let call: ReturnType<typeof https.get> | undefined;
  const ended = new Promise<void>((resolve) => {
    call = https.get(
      {
        ...{ host: '127.0.0.1', port: root.apiPort, path: '/api/v2/events' },
        headers: {
          authorization: `Bearer ${token}`,
          ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
        },
        ...{ rejectUnauthorized: false, agent: false },
      },
      (response) => {
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('close', () => resolve());
        response.on('error', () => {});
      },
    );
    call.on('error', () => resolve());
  });
  const all = (field: string) =>
    [...text.matchAll(new RegExp(`^${field}: (.*)$`, 'gm'))].map(([, value]) => value ?? '');
  return {
    ended,
    text: () => text,
    kinds: () => all('event'),
    lastId: () => all('id').at(-1),
    stop: () => void call?.destroy(),
  };
}

interface DialledCluster {
  readonly commands: TierCommand[];
  /** How often its link opened. */
  links(): number;
}

/** A cluster that obeys, linked to these ports. */
async function startCluster(ports: readonly number[]): Promise<DialledCluster> {
  const authority = await openAuthority({
    directory: join(folder.path, 'first', 'authority'),
    ...{ commonName: 'Oakestra', clock, random, logger: recordingLogger() },
  });
  const tls: TlsIdentity = await identityOf(authority, { role: 'cluster', name: 'edge' });
  const cluster = createTestCluster();
  const commands: TierCommand[] = [];
  let opened = 0;
  const connect = grpcConnect({ tls: () => tls, serverName: SERVER_NAME });
  dialers.push(
    dialLink({
      endpoints: ports.map((port) => `127.0.0.1:${port}`),
      async connect(endpoint, signal) {
        const client = createRegistrationClient({
          ...{ endpoint, tls, serverName: SERVER_NAME, waitsForRoot: false },
        });
        await client
          .register(
            {
              ...{ clusterName: 'edge', clusterLocation: 'here', managerPort: 10_100, clusterInfo: {} },
              ...{ networkComponentPort: 10_110, advertisedAddress: undefined, token: undefined },
            },
            signal,
          )
          .finally(() => client.close());
        return connect(endpoint, signal);
      },
      identity: { role: 'cluster', name: 'edge', incarnation: 'c'.repeat(32), bootId: 'b', capabilities: [] },
      ...{ clock, random },
      onUp(connection) {
        opened += 1;
        connection.onMessage(({ body }) => {
          const command = body as TierCommand;
          commands.push(command);
          for (const report of cluster.obey(command)) connection.send('status', report.type, report);
        });
        connection.send('status', 'greeting', cluster.greeting);
        for (const report of cluster.opening()) connection.send('status', report.type, report);
      },
    }),
  );
  return { commands, links: () => opened };
}

describe('two roots on one PostgreSQL', () => {
  it('lead one at a time, and answer alike', async () => {
    const first = await startRoot('first');
    const second = await startRoot('second');
    expect([await first.leads(), await second.leads()]).toEqual([true, false]);
    const ready = { status: 200, body: { status: 'ok', checks: { store: 'ok', leader: 'ok' } } };
    expect(await first.ask('GET', '/readyz')).toEqual(ready);
    expect(await second.ask('GET', '/readyz')).toEqual(ready);

    const serviceId = await submit(second, 'through');
    for (const root of [first, second]) {
      await root.call('POST', `/api/service/${serviceId}/instance`);
      expect(await root.ask('GET', '/api/v2/services/nothing')).toMatchObject({ status: 404 });
      expect(await root.ask('POST', '/api/v2/applications', {})).toMatchObject({ status: 422 });
    }
    const seen = await instancesOf(first, serviceId);
    expect(seen.map(({ number }) => number)).toEqual([0, 1]);
    expect(await instancesOf(second, serviceId)).toEqual(seen);
  });

  it('do once what comes twice under one key, through whichever root', async () => {
    const first = await startRoot('first');
    const second = await startRoot('second');
    const key = { 'idempotency-key': 'only-once' };
    const answers = await Promise.all(
      [first, second, first, second].map((root) =>
        root.ask('POST', '/api/v2/applications', slaOf('once'), key),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });

  it('reach a cluster that knows only the root that does not lead, and see where it is', async () => {
    const first = await startRoot('first');
    const second = await startRoot('second');
    const cluster = await startCluster([second.clusterPort]);
    const serviceId = await submit(first, 'relayed');
    await first.call('POST', `/api/service/${serviceId}/instance`);
    await vi.waitFor(async () => {
      expect(await instancesOf(second, serviceId)).toMatchObject([{ number: 0, status: 'RUNNING' }]);
    }, WAIT);
    expect(cluster.commands.filter(({ type }) => type === 'deploy')).toHaveLength(1);
    const { items } = await second.call<{ items: { address: string }[] }>('GET', '/api/v2/clusters');
    expect(items).toMatchObject([{ address: '127.0.0.1' }]);
  });

  it('reach it through the port of the API as well', async () => {
    const first = await startRoot('first');
    const second = await startRoot('second');
    await startCluster([second.apiPort]);
    const serviceId = await submit(first, 'oneport');
    await first.call('POST', `/api/service/${serviceId}/instance`);
    await vi.waitFor(async () => {
      expect(await instancesOf(second, serviceId)).toMatchObject([{ number: 0, status: 'RUNNING' }]);
    }, WAIT);
  });

  it('take a cluster of the original that knows only the root that does not lead', async () => {
    const legacy = { allowLegacy: ['127.0.0.1'] };
    const first = await startRoot('first', legacy);
    const second = await startRoot('second', legacy);
    const original = await startOriginalCluster();
    try {
      const id = await original.register(second.clusterPort, 'old');
      original.reportEvery(100, second.apiPort, id);
      const serviceId = await submit(first, 'legacy');
      await first.call('POST', `/api/service/${serviceId}/instance`);
      await vi.waitFor(() => expect(original.jobs.get(serviceId)?.instances).toHaveLength(1), WAIT);
      original.jobs.get(serviceId)?.instances.splice(0, 1, runningInstance(0));
      await vi.waitFor(async () => {
        expect(await instancesOf(second, serviceId)).toMatchObject([{ number: 0, status: 'RUNNING' }]);
      }, WAIT);
      // The next leader goes on where this one ends.
      await first.stop();
      await vi.waitFor(async () => expect(await second.leads()).toBe(true), WAIT);
      await second.call('DELETE', `/api/service/${serviceId}/instance/0`);
      await vi.waitFor(() => expect(original.jobs.has(serviceId)).toBe(false), WAIT);
    } finally {
      await original.stop();
    }
  });

  it('tell what happens to those who listen at either, and go on where a stream was cut', async () => {
    const first = await startRoot('first');
    const second = await startRoot('second');
    const before = listen(second);
    await vi.waitFor(() => expect(before.text()).toContain(': hello'), WAIT);
    await submit(first, 'heard');
    await vi.waitFor(() => expect(before.kinds()).toEqual(['service-created']), WAIT);
    await first.stop();
    await before.ended;
    await vi.waitFor(async () => expect(await second.leads()).toBe(true), WAIT);
    await submit(second, 'missed');
    const after = listen(second, before.lastId());
    await vi.waitFor(() => expect(after.kinds()).toEqual(['service-created']), WAIT);
    expect(after.text()).not.toContain('event: reset');
    expect(after.lastId()).not.toBe(before.lastId());
    after.stop();
  });

  it('say which root cannot be reached, and do without it what they can', async () => {
    const first = await startRoot('first');
    const name = `roots_${database}`;
    const thief = JSON.stringify({ boot: 'thief', address: '127.0.0.1:9' });
    const row = `holder = '${thief}', fencing = fencing + 1, expires_at_ms = 9999999999999`;
    await server.query(name, `update oakestra_leases set ${row}`);
    await vi.waitFor(async () => expect(await first.leads()).toBe(false), WAIT);
    const refused = await first.ask('GET', '/api/v2/services');
    expect(refused).toMatchObject({ status: 503, body: { code: 'leader-unreachable' } });
    const login = { username: 'Admin', password: PASSWORD };
    expect(await first.ask('POST', '/api/auth/login', login)).toMatchObject({ status: 200 });
  });

  it('hand over in order: nothing that was answered is lost, and clusters go to the new leader', async () => {
    const first = await startRoot('first');
    const second = await startRoot('second');
    const cluster = await startCluster([first.clusterPort, second.clusterPort]);
    const serviceId = await submit(first, 'handed');
    let isOver = false;
    const answered: number[] = [];
    const failures: Answer[] = [];
    const client = async (): Promise<void> => {
      while (!isOver) {
        const answer = await second.ask('POST', `/api/service/${serviceId}/instance`);
        if (answer.status === 200) answered.push(answer.status);
        else failures.push(answer);
      }
    };
    const clients = Promise.all([client(), client(), client()]);
    await vi.waitFor(() => expect(answered.length).toBeGreaterThan(5), WAIT);
    await first.stop();
    await vi.waitFor(async () => expect(await second.leads()).toBe(true), WAIT);
    const before = answered.length;
    await vi.waitFor(() => expect(answered.length).toBeGreaterThan(before + 5), WAIT);
    isOver = true;
    await clients;
    // Whoever was not answered with success was told that nobody knows.
    expect(failures.filter(({ status }) => status !== 503)).toEqual([]);
    const instances = await instancesOf(second, serviceId);
    expect(instances.length).toBeGreaterThanOrEqual(answered.length);
    expect(instances.length).toBeLessThanOrEqual(answered.length + failures.length);
    expect(instances.map(({ number }) => number)).toEqual(instances.map((_, index) => index));
    await vi.waitFor(async () => {
      const now = await instancesOf(second, serviceId);
      expect(now.filter(({ status }) => status !== 'RUNNING')).toEqual([]);
    }, WAIT);
    expect(cluster.links()).toBe(2);
  });

  it('write nothing under a lease that was taken, and cut their clusters', async () => {
    const first = await startRoot('first');
    const cluster = await startCluster([first.clusterPort]);
    const serviceId = await submit(first, 'taken');
    await vi.waitFor(() => expect(cluster.links()).toBe(1), WAIT);
    const name = `roots_${database}`;
    const count = async () =>
      (await server.query(name, 'select count(*)::int as n from deployment_instances'))[0]?.n;
    await first.call('POST', `/api/service/${serviceId}/instance`);
    // Somebody who answers nobody takes it, as if this process had been frozen for long.
    const thief = JSON.stringify({ boot: 'thief', address: '127.0.0.1:9' });
    const row = `holder = '${thief}', fencing = fencing + 1, expires_at_ms = 9999999999999`;
    await server.query(name, `update oakestra_leases set ${row}`);
    const refused = await first.ask('POST', `/api/service/${serviceId}/instance`);
    expect(refused).toMatchObject({ status: 503 });
    await vi.waitFor(async () => expect(await first.leads()).toBe(false), WAIT);
    expect(await count()).toBe(1);
    expect(await first.ask('GET', `/api/v2/services/${serviceId}`)).toMatchObject({ status: 503 });
    // What needs nobody that leads is answered still.
    expect(await first.ask('GET', '/api/v2/me')).toMatchObject({ status: 200 });

    await server.query(name, 'update oakestra_leases set expires_at_ms = 0');
    await vi.waitFor(async () => expect(await first.leads()).toBe(true), WAIT);
    await first.call('POST', `/api/service/${serviceId}/instance`);
    await vi.waitFor(async () => {
      const now = await instancesOf(first, serviceId);
      expect(now.map(({ status }) => status)).toEqual(['RUNNING', 'RUNNING']);
    }, WAIT);
    expect(cluster.links()).toBe(2);
  });

  it('answer none but roots at the door between them', async () => {
    const first = await startRoot('first');
    const [row] = await server.query(`roots_${database}`, 'select holder from oakestra_leases');
    const { address } = JSON.parse(String(row?.holder)) as { address: string };
    const authority = await openAuthority({
      directory: join(folder.path, 'first', 'authority'),
      ...{ commonName: 'Oakestra', clock, random, logger: recordingLogger() },
    });
    const knock = async (tls: TlsIdentity | undefined): Promise<number> =>
      new Promise((resolve, reject) => {
        const call = https.get(
          {
            ...{ host: '127.0.0.1', port: Number(address.split(':')[1]), path: '/api/v2/me' },
            headers: { 'x-oakestra-door': 'api', authorization: `Bearer ${token}` },
            ...(tls && { cert: tls.certificatePem, key: tls.keyPem.reveal() }),
            ...{ rejectUnauthorized: false, agent: false },
          },
          (response) => resolve(response.resume().statusCode ?? 0),
        );
        call.on('error', reject);
      });
    expect(await knock(await identityOf(authority, { role: 'root', name: 'root' }))).toBe(200);
    expect(await knock(await identityOf(authority, { role: 'cluster', name: 'edge' }))).toBe(403);
    await expect(knock(undefined)).rejects.toThrow();
    expect(await first.leads()).toBe(true);
  });
});
