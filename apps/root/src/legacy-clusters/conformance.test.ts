import { rm } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { createRegistrationClient } from '@oakestra/contracts/registration';
import { type Lifecycle, systemClock, systemRandom } from '@oakestra/daemon';
import { identityOf } from '@oakestra/pki/testing';
import { recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openRootCertificates } from '../certificates.ts';
import type { RootSettings } from '../settings.ts';
import {
  ADMIN_PASSWORD,
  IDLE_RESOURCES,
  type OriginalCluster,
  type RunningRoot,
  runningInstance,
  runRoot,
  startOriginalCluster,
  testSettings,
} from '../testing/index.ts';

/*
 * A whole root and cluster managers of the original over real sockets: the items 8 to 11 of the conformance checklist
 * (root-api 18).
 */

const FAST_MS = 100;
const WAIT = { timeout: 15_000, interval: 20 };
const LEGACY: Partial<RootSettings> = { allowLegacy: ['127.0.0.1', '::1'] };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const running: Lifecycle[] = [];
const clusters: OriginalCluster[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.stop();
  for (const lifecycle of running.splice(0)) await lifecycle.stop('the test is over');
  await folder.remove();
});

interface Root extends RunningRoot {
  /** Of Admin. */
  readonly token: string;
  /** As Admin; parses what is encoded twice. */
  // biome-ignore lint/suspicious/noExplicitAny: the shapes are what is tested.
  call(method: string, path: string, body?: unknown): Promise<any>;
  stop(): Promise<void>;
}

async function startRoot(settings: Partial<RootSettings> = LEGACY): Promise<Root> {
  const root = await runRoot({ settings: { ...testSettings(folder.path), ...settings } });
  running.push(root.lifecycle);
  let token = '';
  const call: Root['call'] = async (method, path, body) => {
    const host = settings.listen === '::1' ? '::1' : '127.0.0.1';
    const answer = await ask(root.apiPort, { method, path, token, body, host });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    const value: unknown = JSON.parse(answer.text);
    return typeof value === 'string' ? JSON.parse(value) : value;
  };
  const login = { username: 'Admin', password: ADMIN_PASSWORD };
  ({ token } = await call('POST', '/api/auth/login', login));
  const stop = async () => {
    running.splice(running.indexOf(root.lifecycle), 1);
    await root.lifecycle.stop('the test says so');
  };
  return { ...root, token, call, stop };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly host?: string;
}

function ask(port: number, { method, path, token = '', body, host = '127.0.0.1' }: Asked) {
  const headers = {
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const call = http.request({ host, port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function startCluster(host?: string): Promise<OriginalCluster> {
  const cluster = await startOriginalCluster(host);
  clusters.push(cluster);
  return cluster;
}

/** A cluster that registered and reports. */
async function joined(root: Root, name = 'c1'): Promise<{ cluster: OriginalCluster; id: string }> {
  const cluster = await startCluster();
  const id = await cluster.register(root.clusterPort, name);
  cluster.reportEvery(FAST_MS, root.apiPort, id);
  await isActive(root, name);
  return { cluster, id };
}

const isActive = (root: Root, name: string) =>
  vi.waitFor(async () => {
    const active: { cluster_name: string }[] = await root.call('GET', '/api/clusters/active');
    expect(active.map((cluster) => cluster.cluster_name)).toContain(name);
  }, WAIT);

const MICROSERVICE = {
  ...{ microservice_name: 'nginx', microservice_namespace: 'test', virtualization: 'container' },
  ...{ code: 'docker.io/library/nginx:latest', cmd: [], memory: 100, vcpus: 1, port: '6080:80/tcp' },
  ...{ addresses: { rr_ip: '10.30.30.30' }, something_unknown: { kept: true } },
};

async function submit(root: Root, fields: object = {}): Promise<string> {
  const [application] = await root.call('POST', '/api/application/', {
    ...{ sla_version: 'v2.0', customerID: 'Admin' },
    applications: [
      {
        ...{ application_name: 'clientsrvr', application_namespace: 'test' },
        microservices: [{ ...MICROSERVICE, ...fields }],
      },
    ],
  });
  return application.microservices[0];
}

const submit2 = async (root: Root): Promise<string> => {
  const [, application] = await root.call('POST', '/api/application/', {
    ...{ sla_version: 'v2.0', customerID: 'Admin' },
    applications: [
      {
        ...{ application_name: 'second', application_namespace: 'test' },
        microservices: [{ ...MICROSERVICE, addresses: {} }],
      },
    ],
  });
  return application.microservices[0];
};

const deploy = (root: Root, service: string) => root.call('POST', `/api/service/${service}/instance`);
const instancesOf = async (root: Root, service: string) =>
  (await root.call('GET', `/api/service/${service}`)).instance_list;
const has = (cluster: OriginalCluster, job: string, numbers: readonly number[]) =>
  vi.waitFor(() => {
    const instances = cluster.jobs.get(job)?.instances ?? [];
    expect(instances.map((instance) => instance.instance_number)).toEqual(numbers);
  }, WAIT);
const runsAs = (cluster: OriginalCluster, job: string, number: number, status: string) => {
  const instances = cluster.jobs.get(job)?.instances ?? [];
  instances.splice(
    instances.findIndex((instance) => instance.instance_number === number),
    1,
    runningInstance(number, { status }),
  );
};
const runs = (cluster: OriginalCluster, job: string, number: number) =>
  runsAs(cluster, job, number, 'RUNNING');
const isRunning = (root: Root, service: string, number: number) =>
  vi.waitFor(async () => {
    const found = (await instancesOf(root, service)).find(
      (instance: { instance_number: number }) => instance.instance_number === number,
    );
    expect(found?.status).toBe('RUNNING');
  }, WAIT);
const callsTo = (cluster: OriginalCluster, call: string) =>
  cluster.calls.filter((made) => made.call === call);

describe('item 8', () => {
  it('ids are those of MongoDB, and the job has one id at root and cluster', async () => {
    const root = await startRoot();
    const { cluster, id } = await joined(root);
    const service = await submit(root);
    await deploy(root, service);
    await has(cluster, service, [0]);
    for (const one of [id, service]) expect(one).toMatch(/^[0-9a-f]{24}$/);
    const { call, body } = cluster.calls[0] ?? {};
    expect(call).toBe(`POST /api/service/${service}/0`);
    expect(body).toMatchObject({
      _id: service,
      microserviceID: service,
      job_name: 'clientsrvr.test.nginx.test',
    });
  });
});

describe('item 9', () => {
  it('the same name gives the same id, and the address is that of the peer', async () => {
    const root = await startRoot();
    const cluster = await startCluster();
    const id = await cluster.register(root.clusterPort, 'c1');
    expect(await cluster.register(root.clusterPort, 'c1', 'elsewhere')).toBe(id);
    expect(await cluster.register(root.clusterPort, 'c2')).not.toBe(id);
    const found = await root.call('GET', '/api/clusters/');
    expect(found.find((one: { _id: string }) => one._id === id)).toMatchObject({
      ...{ cluster_name: 'c1', cluster_location: 'elsewhere', active: false },
      ...{ ip: '127.0.0.1', port: String(cluster.port) },
    });
  });

  it('IPv6 works, too', async () => {
    const root = await startRoot({ ...LEGACY, listen: '::1' });
    const cluster = await startCluster('::1');
    const id = await cluster.register(root.clusterPort, 'c6');
    cluster.reportEvery(FAST_MS, root.apiPort, id);
    await isActive(root, 'c6');
    expect(await root.call('GET', '/api/clusters/')).toMatchObject([{ _id: id, ip: '::1' }]);
    const service = await submit(root);
    await deploy(root, service);
    await has(cluster, service, [0]);
  });

  it('both kinds of addresses are served at once (Q42)', async () => {
    const root = await startRoot({ ...LEGACY, listen: '::' });
    const addresses = ['127.0.0.1', '::1'];
    for (const [index, host] of addresses.entries()) {
      const cluster = await startCluster(host);
      await cluster.register(root.clusterPort, `c${index}`);
    }
    const found = await root.call('GET', '/api/clusters/');
    expect(found.map(({ ip }: { ip: string }) => ip)).toEqual(addresses);
  });

  it('a name belongs to what it was registered as', async () => {
    const root = await startRoot();
    const { cluster } = await joined(root);
    const { tls, authority } = await openRootCertificates({
      ...{ stateDirectory: folder.path, furtherNames: [], logger: recordingLogger() },
      ...{ clock: systemClock(), random: systemRandom() },
    });
    const certified = async (name: string) => {
      const identity = await identityOf(authority, { role: 'cluster', name });
      const client = createRegistrationClient({
        ...{ endpoint: `127.0.0.1:${root.clusterPort}`, tls: identity, timeoutMs: 5000 },
        serverName: 'root.oakestra.internal',
      });
      try {
        return await client.register({
          ...{
            clusterName: name,
            clusterLocation: 'here',
            managerPort: 10_100,
            networkComponentPort: 10_110,
          },
          ...{ clusterInfo: {}, advertisedAddress: undefined, token: undefined },
        });
      } finally {
        client.close();
      }
    };
    expect(tls.identity.role).toBe('root');
    await expect(certified('c1')).rejects.toMatchObject({ kind: 'forbidden' });
    const ours = await certified('ours');
    await expect(cluster.register(root.clusterPort, 'ours')).rejects.toMatchObject({ code: 7 });
    // Nor can anybody report in its place.
    expect((await cluster.report(root.apiPort, ours)).status).toBe(403);
  });

  it('in the safe mode nobody registers without a certificate, nor in plain text', async () => {
    const root = await startRoot({});
    const cluster = await startCluster();
    await expect(cluster.register(root.clusterPort, 'c1')).rejects.toMatchObject({ code: 14 });
    expect(await root.call('GET', '/api/clusters/')).toEqual([]);
    expect(root.log.map(({ message }) => message)).toContainEqual(expect.stringContaining('--allow-legacy'));
  });
});

describe('item 10', () => {
  it('deploys with the documented body, follows the reports, and undeploys', async () => {
    const root = await startRoot();
    const { cluster, id } = await joined(root);
    const service = await submit(root);
    await deploy(root, service);
    await has(cluster, service, [0]);
    const { applicationID } = await root.call('GET', `/api/service/${service}`);
    expect(cluster.calls).toEqual([
      {
        call: `POST /api/service/${service}/0`,
        body: {
          ...{ _id: service, microserviceID: service, job_name: 'clientsrvr.test.nginx.test' },
          ...{ microservice_name: 'nginx', microservice_namespace: 'test', virtualization: 'docker' },
          ...{ image: 'docker.io/library/nginx:latest', code: 'docker.io/library/nginx:latest' },
          ...{ cmd: [], memory: 100, vcpus: 1, port: '6080:80/tcp', something_unknown: { kept: true } },
          ...{
            applicationID,
            app_name: 'clientsrvr',
            app_ns: 'test',
            service_name: 'nginx',
            service_ns: 'test',
          },
          ...{ addresses: { rr_ip: '10.30.30.30' }, RR_ip: '10.30.30.30', RR_ip_v6: expect.anything() },
          ...{ status: 'CLUSTER_SCHEDULED', status_detail: 'Waiting for scheduling decision' },
          next_instance_progressive_number: 1,
          instance_list: [
            {
              ...{ instance_number: 0, cluster_id: id, cluster_location: '48.1,11.6,1000' },
              status: 'CLUSTER_SCHEDULED',
            },
          ],
        },
      },
    ]);

    runs(cluster, service, 0);
    await isRunning(root, service, 0);
    expect(await instancesOf(root, service)).toMatchObject([
      {
        ...{ instance_number: 0, cluster_id: id, cluster_location: '48.1,11.6,1000', status: 'RUNNING' },
        ...{ worker_id: 'd'.repeat(24), host_ip: '192.0.2.9', host_port: 3000, publicip: '192.0.2.9' },
        ...{ cpu_percent: '0.512000', memory_percent: '1048576.000000', disk: '4096', logs: 'ready\n' },
      },
    ]);

    await root.call('DELETE', `/api/service/${service}/instance/0`);
    await has(cluster, service, []);
    expect(await instancesOf(root, service)).toEqual([]);
    expect(callsTo(cluster, `DELETE /api/service/${service}/0`)).toHaveLength(1);
  });

  it('takes the figures of a report, and not the address in it', async () => {
    const root = await startRoot();
    const { cluster, id } = await joined(root);
    cluster.pause();
    cluster.resources = { ...IDLE_RESOURCES, vgpus: 1, gpu_percent: 12.5, gpu_drivers: ['cuda', 'cuda'] };
    await cluster.report(root.apiPort, id);
    const [found] = await root.call('GET', '/api/clusters/active');
    expect(found.cpu_history.at(-1)).toEqual({ value: 3.5, timestamp: found.last_modified_timestamp });
    expect(found.memory_history.length).toBeGreaterThanOrEqual(2);
    expect(found).toMatchObject({
      ...{ _id: id, ip: '127.0.0.1', active: true, active_nodes: 2, vcpus: 8, cpu_percent: 3.5 },
      ...{ memory: 16_000, memory_percent: 40.1, virtualization: ['docker'] },
      ...{ vgpus: 1, total_gpu_cores: 1, gpu_percent: 12.5, gpu_drivers: ['cuda'] },
      csi_drivers: ['csi.oakestra.io/hostpath'],
    });
    expect(Date.now() / 1000 - found.last_modified_timestamp).toBeLessThan(5);
  });

  it('answers ok, 404 to an unknown cluster (Q44), 400 to no jobs', async () => {
    const root = await startRoot();
    const { cluster, id } = await joined(root);
    expect(await cluster.report(root.apiPort, id)).toEqual({ status: 200, body: 'ok' });
    expect((await cluster.report(root.apiPort, 'f'.repeat(24))).status).toBe(404);
    expect((await cluster.report(root.apiPort, 'nonsense')).status).toBe(400);
    const path = `/api/information/${id}`;
    expect((await ask(root.apiPort, { method: 'POST', path, body: IDLE_RESOURCES })).status).toBe(400);
  });

  it('one job that cannot be read spoils nothing (Q38)', async () => {
    const root = await startRoot();
    const { cluster } = await joined(root);
    const [odd, plain] = [await submit(root), await submit2(root)];
    for (const service of [odd, plain]) await deploy(root, service);
    await has(cluster, odd, [0]);
    await has(cluster, plain, [0]);
    runs(cluster, odd, 0);
    await isRunning(root, odd, 0);
    const made = cluster.calls.length;
    cluster.jobs.set(odd, { document: {}, status: 1, instances: null as never });
    runs(cluster, plain, 0);
    await isRunning(root, plain, 0);
    // Nothing is concluded from what could not be read.
    cluster.jobs.set(odd, {
      ...{ document: { job_name: 'x' }, status: null },
      instances: [runningInstance(0, { status: 'DREAMING' })],
    });
    const [, later] = cluster.jobs.get(plain)?.instances ?? [];
    expect(later).toBeUndefined();
    runsAs(cluster, plain, 0, 'FAILED');
    await vi.waitFor(async () => expect((await instancesOf(root, plain))[0].status).toBe('FAILED'), WAIT);
    expect((await instancesOf(root, odd))[0].status).toBe('RUNNING');
    expect(cluster.calls).toHaveLength(made);
  });

  it('what it runs of an unknown job is removed with -1, and unknown instances one by one (Q45, Q46)', async () => {
    const root = await startRoot();
    const { cluster } = await joined(root);
    const service = await submit(root);
    await deploy(root, service);
    await has(cluster, service, [0]);
    const [document, unknown] = [{ job_name: 'a.b.c.d' }, '65d200f3812caeb85e21ee19'];
    const twoOfThem = [runningInstance(0), runningInstance(1)];
    cluster.jobs.set(unknown, { document, status: 'RUNNING', instances: twoOfThem });
    cluster.jobs.get(service)?.instances.push(runningInstance(7));
    await has(cluster, unknown, []);
    await has(cluster, service, [0]);
    expect(callsTo(cluster, `DELETE /api/service/${unknown}/-1`)).toHaveLength(1);
    expect(callsTo(cluster, `DELETE /api/service/${service}/7`)).toHaveLength(1);
    expect(callsTo(cluster, `DELETE /api/service/${service}/-1`)).toEqual([]);
  });

  it('what was removed while the cluster was away is removed when it is back', async () => {
    const root = await startRoot();
    const { cluster, id } = await joined(root);
    const service = await submit(root);
    await deploy(root, service);
    await has(cluster, service, [0]);
    runs(cluster, service, 0);
    await isRunning(root, service, 0);
    cluster.pause();
    cluster.mishaps.push('not heard');
    await root.call('DELETE', `/api/service/${service}/instance/0`);
    await vi.waitFor(() => expect(cluster.mishaps).toEqual([]), WAIT);
    expect(cluster.jobs.get(service)?.instances).toHaveLength(1);
    cluster.reportEvery(FAST_MS, root.apiPort, id);
    await has(cluster, service, []);
  });

  it('offers a cluster of the original nothing that it does not know', async () => {
    const root = await startRoot();
    const { cluster } = await joined(root);
    const service = await submit(root, { on_disconnect: 'stop-after 30' });
    await deploy(root, service);
    const [instance] = await instancesOf(root, service);
    expect(instance).toMatchObject({ status: 'NoActiveClusterWithCapacity' });
    expect(instance.status_detail).toContain('disconnect-policies');
    expect(cluster.calls).toEqual([]);
  });

  it.each(['not heard', 'answer lost'] as const)(
    'a call of which the answer does not come is made again until the report agrees: %s',
    async (mishap) => {
      const root = await startRoot();
      const { cluster } = await joined(root);
      cluster.pause();
      const service = await submit(root);
      cluster.mishaps.push(mishap, mishap);
      await deploy(root, service);
      await vi.waitFor(() => expect(cluster.mishaps).toEqual([]), WAIT);
      await vi.waitFor(
        () => expect(callsTo(cluster, `POST /api/service/${service}/0`)).not.toEqual([]),
        WAIT,
      );
      await has(cluster, service, [0]);
    },
  );

  it('survives a restart of the root: nothing is called again, and what was asked for still ends', async () => {
    const first = await startRoot();
    const { cluster, id } = await joined(first);
    const service = await submit(first);
    await deploy(first, service);
    await deploy(first, service);
    await has(cluster, service, [0, 1]);
    for (const number of [0, 1]) runs(cluster, service, number);
    await isRunning(first, service, 1);
    cluster.pause();
    const made = cluster.calls.length;
    cluster.mishaps.push('not heard');
    await first.call('DELETE', `/api/service/${service}/instance/0`);
    await vi.waitFor(() => expect(cluster.mishaps).toEqual([]), WAIT);
    await first.stop();

    const root = await startRoot();
    cluster.reportEvery(FAST_MS, root.apiPort, id);
    await has(cluster, service, [1]);
    await isRunning(root, service, 1);
    expect(cluster.calls.slice(made).map(({ call }) => call)).toEqual([`DELETE /api/service/${service}/0`]);
  });

  it('a root that lost its store adopts what runs and removes nothing', async () => {
    const first = await startRoot();
    const { cluster } = await joined(first);
    const service = await submit(first);
    await deploy(first, service);
    await has(cluster, service, [0]);
    runs(cluster, service, 0);
    await isRunning(first, service, 0);
    cluster.pause();
    await first.stop();
    const made = cluster.calls.length;
    for (const file of ['root.db', 'root.db-wal', 'root.db-shm']) {
      await rm(join(folder.path, file), { force: true });
    }

    const root = await startRoot();
    const id = await cluster.register(root.clusterPort, 'c1');
    cluster.reportEvery(FAST_MS, root.apiPort, id);
    await vi.waitFor(async () => expect(await root.call('GET', '/api/services/')).toHaveLength(1), WAIT);
    await isRunning(root, service, 0);
    expect(cluster.calls.slice(made).filter(({ call }) => call.startsWith('DELETE'))).toEqual([]);
    // From then on what nobody wants goes again, also what was adopted.
    const unknown = '65d200f3812caeb85e21ee19';
    cluster.jobs.set(unknown, {
      ...{ document: { job_name: 'a.b.c.d' }, status: 'RUNNING' },
      instances: [runningInstance(0)],
    });
    await has(cluster, unknown, []);
    await root.call('DELETE', `/api/service/${service}/instance/0`);
    await has(cluster, service, []);
  });
});

describe('item 11', () => {
  it('takes the decision of a scheduler of the original', async () => {
    const root = await startRoot();
    const { id: first } = await joined(root, 'c1');
    const { cluster, id: second } = await joined(root, 'c2');
    const service = await submit(root);
    const decide = (body: object) => ask(root.apiPort, { method: 'POST', path: '/api/result/deploy', body });
    for (const candidate of [second, first]) {
      expect(await decide({ job_id: service, candidate_id: candidate })).toEqual({ status: 200, text: 'ok' });
    }
    await has(cluster, service, [0]);
    expect(await instancesOf(root, service)).toMatchObject([
      { instance_number: 0, cluster_id: second },
      { instance_number: 1, cluster_id: first },
    ]);
    const unknown = { job_id: 'f'.repeat(24), candidate_id: second };
    expect(await decide(unknown)).toEqual({ status: 200, text: 'ok' });
    expect(await decide({ job_id: service, candidate_id: 'f'.repeat(24) })).toEqual({
      status: 200,
      text: 'ok',
    });
    const none = { job_id: service, status: 'NoActiveClusterWithCapacity' };
    expect(await decide(none)).toEqual({ status: 200, text: 'ok' });
    for (const wrong of [{}, { job_id: service }, { job_id: service, status: 'DREAMING' }]) {
      expect((await decide(wrong)).status).toBe(400);
    }
    expect(await instancesOf(root, service)).toHaveLength(2);
  });

  it('places nothing where it does not fit', async () => {
    const root = await startRoot();
    const { id } = await joined(root);
    const service = await submit(root, { memory: 17_000 });
    const body = { job_id: service, candidate_id: id };
    const answer = await ask(root.apiPort, { method: 'POST', path: '/api/result/deploy', body });
    expect(answer).toEqual({ status: 200, text: 'ok' });
    expect(await instancesOf(root, service)).toEqual([]);
  });

  it('places nothing on a cluster that shall take no more', async () => {
    const root = await startRoot();
    const { id } = await joined(root);
    const service = await submit(root);
    await root.call('POST', `/api/v2/clusters/${id}/cordon`);
    const body = { job_id: service, candidate_id: id };
    await ask(root.apiPort, { method: 'POST', path: '/api/result/deploy', body });
    expect(await instancesOf(root, service)).toEqual([]);
  });
});

describe('in the safe mode', () => {
  it('callbacks need a token or a certificate', async () => {
    const root = await startRoot({});
    const id = 'f'.repeat(24);
    for (const path of [`/api/information/${id}`, '/api/result/deploy']) {
      expect((await ask(root.apiPort, { method: 'POST', path, body: { jobs: [] } })).status).toBe(401);
    }
    const service = await submit(root);
    const decision = { job_id: service, candidate_id: id };
    const { token } = root;
    const asked = { method: 'POST', path: '/api/result/deploy', body: decision, token };
    expect(await ask(root.apiPort, asked)).toEqual({ status: 200, text: 'ok' });
  });
});

it('a cluster that falls silent is not active, and is again with its next report', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'], shouldAdvanceTime: true });
  try {
    const root = await startRoot();
    const { cluster, id } = await joined(root);
    cluster.pause();
    await vi.advanceTimersByTimeAsync(29_000);
    expect(await root.call('GET', '/api/clusters/active')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1500);
    expect(await root.call('GET', '/api/clusters/active')).toEqual([]);
    expect(await root.call('GET', '/api/clusters/')).toMatchObject([{ active: false }]);
    await cluster.report(root.apiPort, id);
    expect(await root.call('GET', '/api/clusters/active')).toHaveLength(1);
  } finally {
    vi.useRealTimers();
  }
});
