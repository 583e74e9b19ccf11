import https from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { dialLink, type LinkConnection, type LinkDialer, type LinkEnd } from '@oakestra/contracts/link';
import { grpcConnect } from '@oakestra/contracts/link/grpc';
import { createRegistrationClient } from '@oakestra/contracts/registration';
import { type Lifecycle, systemClock, systemRandom } from '@oakestra/daemon';
import { type PeerRole, readTlsIdentity, type TlsIdentity } from '@oakestra/pki';
import { identityOf } from '@oakestra/pki/testing';
import { recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openRootCertificates } from '../certificates.ts';
import {
  ADMIN_PASSWORD,
  createTestCluster,
  type RunningRoot,
  runRoot,
  startOriginalCluster,
  testSettings,
} from '../testing/index.ts';

/* Where only the port of the API is open: a cluster joins through it, beside users. */

const clock = systemClock();
const random = systemRandom();
const SERVER_NAME = 'root.oakestra.internal';
const WAIT = { timeout: 10_000, interval: 20 };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let root: RunningRoot;
let running: Lifecycle | undefined;
let dialer: LinkDialer | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await dialer?.stop();
  await running?.stop('the test is over');
  await folder.remove();
});

async function start(allowLegacy: readonly string[] = []): Promise<void> {
  root = await runRoot({ settings: { ...testSettings(folder.path), allowLegacy: [...allowLegacy] } });
  running = root.lifecycle;
}

async function certified(role: PeerRole, name: string): Promise<TlsIdentity> {
  const { authority } = await openRootCertificates({
    ...{ stateDirectory: folder.path, furtherNames: [], clock, random, logger: recordingLogger() },
  });
  return identityOf(authority, { role, name });
}

interface Request {
  readonly method?: string;
  readonly path: string;
  readonly tls?: TlsIdentity;
  readonly token?: string;
  readonly body?: unknown;
}

/** Over HTTPS on the one port. */
async function ask({ method = 'GET', path, tls, token, body }: Request) {
  const directory = join(folder.path, 'tls');
  const { caPem } = await readTlsIdentity({
    caPath: join(directory, 'ca.pem'),
    certificatePath: join(directory, 'cert.pem'),
    keyPath: join(directory, 'key.pem'),
  });
  const own = tls === undefined ? {} : { cert: tls.certificatePem, key: tls.keyPem.reveal() };
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const target = { host: '127.0.0.1', port: root.apiPort, servername: SERVER_NAME };
    const call = https.request(
      { ...target, ...own, ca: caPem, method, path, headers, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function activeClusters(): Promise<string[]> {
  const body = { username: 'Admin', password: ADMIN_PASSWORD };
  const { token } = JSON.parse((await ask({ method: 'POST', path: '/api/auth/login', body })).text);
  const { text } = await ask({ path: '/api/clusters/active', token });
  return JSON.parse(text).map((cluster: { cluster_name: string }) => cluster.cluster_name);
}

async function register(endpoint: string, tls: TlsIdentity): Promise<string> {
  const client = createRegistrationClient({
    ...{ endpoint, tls, serverName: SERVER_NAME, timeoutMs: 3000, waitsForRoot: false },
  });
  try {
    return await client.register({
      ...{ clusterName: 'edge', clusterLocation: 'here', managerPort: 10_100, networkComponentPort: 10_110 },
      ...{ clusterInfo: {}, advertisedAddress: undefined, token: undefined },
    });
  } finally {
    client.close();
  }
}

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function dial(endpoints: readonly string[], tls: TlsIdentity) {
  const cluster = createTestCluster();
  const ends: LinkEnd[] = [];
  const connect = grpcConnect({ tls: () => tls, serverName: SERVER_NAME });
  const opened = new Promise<LinkConnection>((resolve) => {
    dialer = dialLink({
      endpoints,
      identity: {
        ...{ role: 'cluster', name: 'edge', incarnation: 'c'.repeat(32), bootId: 'p', capabilities: [] },
      },
      clock,
      random,
      // As a cluster does: it registers before each link.
      async connect(endpoint, signal) {
        await register(endpoint, tls);
        return connect(endpoint, signal);
      },
      onUp(connection) {
        connection.onMessage(({ body }) => {
          for (const report of cluster.obey(body as Parameters<typeof cluster.obey>[0])) {
            connection.send('status', report.type, report);
          }
        });
        connection.send('status', 'greeting', cluster.greeting);
        for (const report of cluster.opening()) connection.send('status', report.type, report);
        resolve(connection);
      },
      onDown: (end) => void ends.push(end),
    });
  });
  return { opened, ends };
}

it('a cluster registers and opens its link through the port of the API, after an endpoint that does not answer', async () => {
  await start();
  const tls = await certified('cluster', 'edge');
  const { opened, ends } = dial([`127.0.0.1:${await deadPort()}`, `127.0.0.1:${root.apiPort}`], tls);
  expect((await opened).peer.role).toBe('root');
  await vi.waitFor(async () => expect(await activeClusters()).toEqual(['edge']), WAIT);
  // An orderly stop is told there as well: nothing moves for it.
  const startedMs = performance.now();
  await running?.stop('restart');
  running = undefined;
  await vi.waitFor(() => expect(ends).toHaveLength(1), WAIT);
  expect(ends[0]).toMatchObject({ kind: 'bye', by: 'peer', reason: 'restarting' });
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

it('nobody registers there without a certificate of this installation, or with that of a worker', async () => {
  await start(['127.0.0.1']);
  const worker = await certified('worker', 'edge');
  await expect(register(`127.0.0.1:${root.apiPort}`, worker)).rejects.toMatchObject({ kind: 'forbidden' });
  // In plain text it is HTTP that is spoken there.
  const original = await startOriginalCluster();
  await expect(original.register(root.apiPort, 'c1')).rejects.toMatchObject({ code: 14 });
  await original.stop();
  expect(await activeClusters()).toEqual([]);
});

it('callbacks are taken from the holder of a certificate, for itself alone', async () => {
  await start(['127.0.0.1']);
  const original = await startOriginalCluster();
  const id = await original.register(root.clusterPort, 'c1');
  await original.stop();
  // The address is not admitted any more.
  await running?.stop('restart');
  await start();
  const report = (tls?: TlsIdentity) =>
    ask({
      ...{ method: 'POST', path: `/api/information/${id}`, body: { jobs: [] } },
      ...(tls === undefined ? {} : { tls }),
    });
  expect((await report()).status).toBe(401);
  expect(await report(await certified('cluster', 'c1'))).toEqual({ status: 200, text: 'ok' });
  expect((await report(await certified('cluster', 'c2'))).status).toBe(403);
  expect((await report(await certified('worker', 'c1'))).status).toBe(403);

  const place = async (role: PeerRole) =>
    ask({
      ...{ method: 'POST', path: '/api/result/deploy', tls: await certified(role, 'c1') },
      body: { job_id: 'f'.repeat(24), candidate_id: id },
    });
  expect(await place('client')).toEqual({ status: 200, text: 'ok' });
  expect((await place('cluster')).status).toBe(403);
});
