import { createPublicKey, createVerify } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { createServer } from 'node:net';
import type { Lifecycle } from '@oakestra/daemon';
import { temporaryFolder } from '@oakestra/store/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RootSettings } from './settings.ts';
import {
  ADMIN_PASSWORD,
  IDLE_RESOURCES,
  type OriginalCluster,
  runningInstance,
  runRoot,
  startOriginalCluster,
  testSettings,
} from './testing/index.ts';

/*
 * A whole root over real sockets: the conformance checklist (root-api 18), items 1 to 7 and 13 to 15. Items 8 to 11 are
 * in legacy-clusters/conformance.test.ts; 12 belongs to the network.
 */

const WAIT = { timeout: 15_000, interval: 20 };

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shapes are what is tested.
  readonly json: any;
}

interface Asked {
  readonly port?: number;
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly headers?: http.OutgoingHttpHeaders;
}

class Root {
  readonly #folder: Awaited<ReturnType<typeof temporaryFolder>>;
  readonly #lifecycle: Lifecycle;
  readonly port: number;
  readonly clusterPort: number;
  readonly abstractorPort: number;
  readonly keyPort: number;
  token = '';
  refreshToken = '';

  private constructor(
    folder: Awaited<ReturnType<typeof temporaryFolder>>,
    root: Awaited<ReturnType<typeof runRoot>>,
    ports: { readonly abstractorPort: number; readonly keyPort: number },
  ) {
    [this.#folder, this.#lifecycle] = [folder, root.lifecycle];
    [this.port, this.clusterPort] = [root.apiPort, root.clusterPort];
    [this.abstractorPort, this.keyPort] = [ports.abstractorPort, ports.keyPort];
  }

  static async start(settings: Partial<RootSettings>): Promise<Root> {
    const folder = await temporaryFolder();
    const ports = { abstractorPort: await freePort(), keyPort: await freePort() };
    const all = { ...testSettings(folder.path), ...ports, ...settings };
    const root = new Root(folder, await runRoot({ settings: all }), ports);
    const password = all.legacyAdminPassword ? 'Admin' : ADMIN_PASSWORD;
    const login = await root.ask('POST', '/api/auth/login', { body: { username: 'Admin', password } });
    ({ token: root.token, refresh_token: root.refreshToken } = login.json);
    return root;
  }

  async stop(): Promise<void> {
    await this.#lifecycle.stop('the test is over');
    await this.#folder.remove();
  }

  /** As Admin, unless another token is given (`''`: none). */
  ask(method: string, path: string, { port = this.port, token = this.token, body, headers }: Asked = {}) {
    const all = {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
    return new Promise<Answer>((resolve, reject) => {
      const call = http.request({ host: '127.0.0.1', port, method, path, headers: all }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          resolve({ status, headers: response.headers, text, json: parsed(text) });
        });
      });
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const service = { microservice_namespace: 'test', virtualization: 'container', code: 'nginx', memory: 10 };
const sla = (
  name: string,
  microservices: readonly object[] = [{ ...service, microservice_name: 'web' }],
) => ({
  sla_version: 'v2.0',
  customerID: 'Admin',
  applications: [{ application_name: name, application_namespace: 'test', microservices }],
});

let legacy: Root;
let safe: Root;
let original: OriginalCluster;
let clusterId: string;
let bareCluster: Record<string, unknown>;

beforeAll(async () => {
  const admitted = { allowLegacy: ['127.0.0.1', '::1'], legacyAdminPassword: true, adminPassword: undefined };
  [legacy, safe] = await Promise.all([Root.start(admitted), Root.start({})]);
  original = await startOriginalCluster();
  clusterId = await original.register(legacy.clusterPort, 'c1');
  // Before its first report: every field is there all the same.
  bareCluster = (await legacy.ask('GET', '/api/clusters/')).json[0];
  original.reportEvery(100, legacy.port, clusterId);
});
afterAll(async () => {
  await original?.stop();
  await Promise.all([legacy?.stop(), safe?.stop()]);
});

/** D: a JSON text that contains JSON. */
const twice = (answer: Answer) => JSON.parse(answer.json as string);

/** Registers an application; answers the ids of its services. */
async function submitted(name: string, microservices?: readonly object[]): Promise<readonly string[]> {
  const answer = await legacy.ask('POST', '/api/application/', { body: sla(name, microservices) });
  const found = twice(answer).find(
    ({ application_name }: { application_name: string }) => application_name === name,
  );
  return found.microservices;
}

/** A service with one instance that runs on the cluster of the original. */
async function running(name: string): Promise<string> {
  const [id = ''] = await submitted(name);
  await legacy.ask('POST', `/api/service/${id}/instance`);
  await vi.waitFor(() => expect(original.jobs.get(id)?.instances).toHaveLength(1), WAIT);
  const job = original.jobs.get(id);
  if (job !== undefined) [job.status, job.instances] = ['RUNNING', [runningInstance(0)]];
  await vi.waitFor(async () => {
    expect(twice(await legacy.ask('GET', `/api/service/${id}`)).instance_list[0].status).toBe('RUNNING');
  }, WAIT);
  return id;
}

const isInteger = (value: unknown) => typeof value === 'number' && Number.isInteger(value);

describe('item 1', () => {
  it('answers with and without a slash at the end, without a redirect, and with exactly 200', async () => {
    const [serviceId = ''] = await submitted('slashes');
    const { applicationID } = twice(await legacy.ask('GET', `/api/service/${serviceId}`));
    const [, claims = ''] = legacy.token.split('.');
    const { organization } = JSON.parse(Buffer.from(claims, 'base64url').toString());
    const collections = [
      ...['/api/clusters', '/api/clusters/active', '/api/users', `/api/users/${organization}`],
      ...['/api/organization', '/api/applications', '/api/services', `/api/services/${applicationID}`],
      ...['/api/user/Admin', `/api/application/${applicationID}`, `/api/service/${serviceId}`],
    ];
    for (const path of collections) {
      for (const spelling of [path, `${path}/`]) {
        const { status, headers } = await legacy.ask('GET', spelling);
        expect([spelling, status, headers.location]).toEqual([spelling, 200, undefined]);
      }
    }
    const others: [string, string, unknown][] = [
      ['POST', '/api/application', sla('one')],
      ['POST', '/api/application/', sla('two')],
      ['POST', '/api/organization', { name: 'one', member: [] }],
      ['POST', `/api/service/${serviceId}/instance`, undefined],
      ['DELETE', `/api/service/${serviceId}/instance/-1`, undefined],
      ['PUT', `/api/service/${serviceId}`, sla('slashes')],
      ['DELETE', `/api/service/${serviceId}`, undefined],
      ['DELETE', `/api/application/${applicationID}/`, undefined],
    ];
    for (const [method, path, body] of others) {
      const { status, text } = await legacy.ask(method, path, { body });
      expect([method, path, status, text]).toEqual([method, path, 200, text]);
    }
  });
});

describe('item 2', () => {
  it('encodes twice what clients decode twice', async () => {
    const [serviceId = ''] = await submitted('twice');
    const { applicationID } = twice(await legacy.ask('GET', `/api/service/${serviceId}`));
    const { sub } = claimsOf(legacy.token);
    expect(sub).toBe('Admin');
    const user = (await legacy.ask('GET', '/api/user/Admin')).json;
    for (const [method, path, body] of [
      ['POST', '/api/application', sla('encoded')],
      ['GET', '/api/applications', undefined],
      ['GET', `/api/applications/${user._id.$oid}`, undefined],
      ['GET', '/api/services', undefined],
      ['GET', `/api/services/${applicationID}`, undefined],
      ['GET', `/api/service/${serviceId}`, undefined],
      ['GET', '/api/organization', undefined],
      ['POST', '/api/organization', { name: 'encoded', member: [] }],
    ] as const) {
      const { json } = await legacy.ask(method, path, { body });
      expect([path, typeof json]).toEqual([path, 'string']);
      expect(JSON.parse(json)).toBeDefined();
    }
    for (const path of ['/api/users', '/api/clusters', '/api/user/Admin']) {
      expect(typeof (await legacy.ask('GET', path)).json).toBe('object');
    }
  });
});

describe('item 3', () => {
  it('wraps the ids of all but clusters', async () => {
    const wrapped = { _id: { $oid: expect.stringMatching(/^[0-9a-f]{24}$/) } };
    await submitted('wrapped');
    for (const path of ['/api/applications', '/api/services', '/api/organization']) {
      for (const found of twice(await legacy.ask('GET', path))) expect(found).toMatchObject(wrapped);
    }
    for (const found of (await legacy.ask('GET', '/api/users')).json) expect(found).toMatchObject(wrapped);
    for (const found of (await legacy.ask('GET', '/api/clusters')).json) expect(found._id).toBe(clusterId);
  });
});

describe('item 4', () => {
  it('answers a new application with all of the caller, the oldest first', async () => {
    const names = async (name: string) =>
      twice(await legacy.ask('POST', '/api/application/', { body: sla(name) })).map(
        ({ application_name: listed }: { application_name: string }) => listed,
      );
    const before = await names('first');
    expect(await names('second')).toEqual([...before, 'second']);
  });
});

const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

describe('item 5', () => {
  it('signs tokens with RS256, whose public key is at its port', async () => {
    const { json } = await legacy.ask('GET', '/key', { port: legacy.keyPort, token: '' });
    const key = createPublicKey(json.public_key);
    expect(key.asymmetricKeyDetails?.modulusLength).toBeGreaterThanOrEqual(2048);
    for (const token of [legacy.token, legacy.refreshToken]) {
      const [head = '', claims = '', signature = ''] = token.split('.');
      expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toMatchObject({
        alg: 'RS256',
        typ: 'JWT',
      });
      const signed = createVerify('RSA-SHA256').update(`${head}.${claims}`);
      expect(signed.verify(key, Buffer.from(signature, 'base64url'))).toBe(true);
    }
  });

  it('gives access for ten minutes, and more of it for the refresh token in the header', async () => {
    const claims = claimsOf(legacy.token);
    expect(claims).toMatchObject({
      ...{
        sub: 'Admin',
        user: 'Admin',
        roles: expect.arrayContaining(['Admin']),
        type: 'access',
        fresh: false,
      },
      ...{ organization: expect.stringMatching(/^[0-9a-f]{24}$/), jti: expect.any(String) },
    });
    expect(claims.exp - claims.iat).toBe(600);
    const { json } = await legacy.ask('POST', '/api/auth/refresh', { token: legacy.refreshToken });
    expect((await legacy.ask('GET', '/api/users', { token: json.token })).status).toBe(200);
    expect((await legacy.ask('POST', '/api/auth/refresh')).status).not.toBe(200);
  });
});

describe('item 6', () => {
  const body = { username: 'Admin', password: 'Admin' };

  it('has Admin with the password Admin and the organisation root, where that is asked for', async () => {
    const login = await legacy.ask('POST', '/api/auth/login', { token: '', body });
    expect(login.status).toBe(200);
    const named = await legacy.ask('POST', '/api/auth/login', {
      token: '',
      body: { ...body, organization: 'root' },
    });
    expect(named.status).toBe(200);
    const organisations = twice(await legacy.ask('GET', '/api/organization'));
    expect(organisations.map(({ name }: { name: string }) => name)).toContain('root');
  });

  it('refuses that password where it is not asked for', async () => {
    const { status, json } = await safe.ask('POST', '/api/auth/login', { token: '', body });
    expect(status).toBe(401);
    expect(json).not.toHaveProperty('token');
  });
});

describe('item 7', () => {
  it('keeps what it does not know, turns container into docker and code into image', async () => {
    const [id = ''] = await submitted('rules', [
      { ...service, microservice_name: 'web', code: 'docker.io/library/nginx', something: { new: [1] } },
    ]);
    expect(twice(await legacy.ask('GET', `/api/service/${id}`))).toMatchObject({
      ...{ virtualization: 'docker', image: 'docker.io/library/nginx', code: 'docker.io/library/nginx' },
      ...{ something: { new: [1] }, job_name: 'rules.test.web.test', microserviceID: id },
      ...{ next_instance_progressive_number: 0, instance_list: [] },
    });
    await legacy.ask('POST', `/api/service/${id}/instance`);
    await vi.waitFor(() => {
      expect(original.jobs.get(id)?.document).toMatchObject({
        something: { new: [1] },
        virtualization: 'docker',
      });
    }, WAIT);
  });

  it.each([
    ['the version', { ...sla('x'), sla_version: 'v1.0' }, 'sla_version'],
    ['the name of an application', sla('not a name'), 'application_name'],
    ['the name of a service', sla('x', [{ ...service, microservice_name: '' }]), 'microservice_name'],
    [
      'a runtime that is no text',
      sla('x', [{ ...service, microservice_name: 'w', virtualization: 7 }]),
      'virtualization',
    ],
    ['a missing image', sla('x', [{ ...service, microservice_name: 'w', code: undefined }]), 'code'],
    ['a memory that is text', sla('x', [{ ...service, microservice_name: 'w', memory: '10' }]), 'memory'],
  ])('refuses %s, and names the field', async (_what, body, field) => {
    const { status, text } = await legacy.ask('POST', '/api/application', { body });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(text).toContain(field);
  });
});

describe('item 13', () => {
  const resources = { method: 'GET', path: '/api/v1/resources/' };
  const ask = (root: Root, given: Asked) =>
    root.ask(resources.method, resources.path, { port: root.abstractorPort, ...given });

  it('lists the candidates on its own port to everybody of the admitted ranges', async () => {
    const { status, json, headers } = await ask(legacy, {
      token: '',
      headers: { origin: 'http://anywhere' },
    });
    expect(status).toBe(200);
    expect(json).toMatchObject([{ _id: clusterId, candidate_name: 'c1', ip: '127.0.0.1' }]);
    expect(['*', 'http://anywhere']).toContain(headers['access-control-allow-origin']);
    for (const kind of ['applications', 'jobs']) {
      const path = `/api/v1/${kind}/`;
      const listed = await legacy.ask('GET', path, { port: legacy.abstractorPort, token: '' });
      expect([path, listed.status, Array.isArray(listed.json)]).toEqual([path, 200, true]);
    }
    for (const kind of ['hooks', 'custom-resources']) {
      const path = `/api/v1/${kind}/`;
      expect((await legacy.ask('GET', path, { port: legacy.abstractorPort, token: '' })).status).toBe(501);
    }
  });

  it('asks for the token of an administrator elsewhere', async () => {
    expect((await ask(safe, { token: '' })).status).toBe(401);
    expect((await ask(safe, {})).status).toBe(200);
    const { headers } = await ask(safe, { headers: { origin: 'http://anywhere' } });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('item 14', () => {
  const integers = [
    'active_nodes',
    'vcpus',
    'vgpus',
    'vram',
    'memory_in_mb',
    'total_cpu_cores',
    'total_gpu_cores',
  ];
  const lists = [
    'virtualization',
    'supported_addons',
    'csi_drivers',
    'gpu_drivers',
    'cpu_history',
    'memory_history',
  ];
  const numbers = [
    'cpu_percent',
    'memory_percent',
    'gpu_percent',
    'gpu_temp',
    'vram_percent',
    'last_modified_timestamp',
  ];

  it('shows every field of a cluster with a type that strict clients take, from its registration on', async () => {
    original.resources = { ...IDLE_RESOURCES, memory: 16_000.7, vcpus: 8.0, gpu_drivers: null };
    await vi.waitFor(async () => {
      expect((await legacy.ask('GET', '/api/clusters/active')).json).toHaveLength(1);
    }, WAIT);
    const [reported] = (await legacy.ask('GET', '/api/clusters/active')).json;
    for (const cluster of [bareCluster, reported]) {
      expect(integers.filter((field) => !isInteger(cluster[field]))).toEqual([]);
      expect(lists.filter((field) => !Array.isArray(cluster[field]))).toEqual([]);
      expect(numbers.filter((field) => typeof cluster[field] !== 'number')).toEqual([]);
      expect(typeof cluster.active).toBe('boolean');
    }
    expect(reported.virtualization).toEqual(['docker']);
  });

  it('shows instances with integers and texts where strict clients want them, and known words alone', async () => {
    const id = await running('strict');
    const { instance_list: instances, status } = twice(await legacy.ask('GET', `/api/service/${id}`));
    expect(status).toBe('RUNNING');
    expect(instances).toHaveLength(1);
    const [instance] = instances;
    expect([isInteger(instance.instance_number), isInteger(instance.host_port)]).toEqual([true, true]);
    for (const field of [
      'cpu_percent',
      'memory_percent',
      'disk',
      'status',
      'status_detail',
      'publicip',
      'logs',
    ]) {
      expect([field, typeof instance[field]]).toEqual([field, 'string']);
    }
    expect([instance.cpu_history, instance.memory_history].every(Array.isArray)).toBe(true);
  });
});

describe('item 15', () => {
  const preflight = (root: Root, port: number) =>
    root.ask('OPTIONS', '/api/v1/resources/', {
      port,
      token: '',
      headers: {
        origin: 'http://anywhere',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization,content-type',
      },
    });

  it('lets pages of all origins in where old clients are admitted', async () => {
    for (const port of [legacy.port, legacy.abstractorPort]) {
      const { status, headers } = await preflight(legacy, port);
      expect(status).toBe(200);
      expect(['*', 'http://anywhere']).toContain(headers['access-control-allow-origin']);
      expect(String(headers['access-control-allow-headers']).toLowerCase()).toMatch(/authorization|\*/);
      expect(String(headers['access-control-allow-methods'])).toContain('DELETE');
    }
  });

  it('lets none in elsewhere', async () => {
    for (const port of [safe.port, safe.abstractorPort]) {
      const { headers } = await preflight(safe, port);
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
  });
});
