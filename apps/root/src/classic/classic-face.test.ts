import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OakestraError, Sensitive } from '@oakestra/contracts';
import { createLogger, createManualClock, systemDisk, systemRandom } from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AddressesSchema, addressesMigrations, openAddresses } from '../addresses/index.ts';
import { type ApplicationsSchema, applicationsMigrations, openApplications } from '../applications/index.ts';
import { type Identity, type IdentitySchema, identityMigrations, openIdentity } from '../identity/index.ts';
import { createFakeClusters, createFakeDeployments, createFakeLegacyClusters } from '../testing/index.ts';
import { type ClassicFaceParts, classicRoutes } from './classic-face.ts';
import { createClassicFace } from './fakes.ts';

const clusterId = '6b02a0761c5b34961e7f558b';
const cluster = {
  ...{ id: clusterId, name: 'c1', location: '48.1,11.6,1000', address: '192.0.2.7', port: 10_100 },
  ...{ isActive: true, activeWorkers: 2, vcpus: 8, memoryMib: 16_000, cpuPercent: 12.5, memoryPercent: 30 },
  ...{ virtualization: ['docker'], labels: {}, setLabels: {}, lastSeenAtMs: 1_795_334_263_360 },
  ...{ availability: 'open' as const, instanceCount: 3 },
};
const silentCluster = { ...cluster, id: 'f'.repeat(24), name: 'c2', isActive: false };
const deployments = createFakeDeployments(clusterId);
const clock = createManualClock();
let logged = '';
const logger = createLogger({ output: { write: (line) => (logged += line) } });

let folder: string;
let store: Store<AddressesSchema & IdentitySchema & ApplicationsSchema>;
let identity: Identity;
let parts: ClassicFaceParts;
let app: FastifyInstance;
let adminToken: string;
let refreshToken: string;
let bobToken: string;
let bobId: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-classic-'));
  const random = systemRandom();
  const migrations = { ...identityMigrations, ...applicationsMigrations, ...addressesMigrations };
  store = await openSqliteStore({ path: join(folder, 'root.db'), migrations, logger, clock, random });
  const shared = { store, clock, random, logger };
  const adminPassword = new Sensitive('secret');
  identity = await openIdentity({ ...shared, disk: systemDisk(), stateDir: folder, adminPassword });
  const bob = { name: 'bob', email: '', password: 'secret', organisation: 'root', roles: [] };
  bobId = (await identity.createUser(bob)).id;
  const addresses = await openAddresses(shared);
  const applications = await openApplications({ ...shared, addresses, identity, deployments });
  const clusters = createFakeClusters([cluster, silentCluster]);
  const legacyClusters = createFakeLegacyClusters(clusterId);
  parts = { identity, applications, deployments, clusters, legacyClusters, isLegacyAddress: () => false };
  app = createClassicFace({ ...parts, logger });
  const login = (userName: string) => identity.login({ userName, password: 'secret', address: '192.0.2.1' });
  ({ accessToken: adminToken, refreshToken } = await login('Admin'));
  ({ accessToken: bobToken } = await login('bob'));
});

beforeEach(async () => {
  deployments.clear();
  logged = '';
  await store.commit([store.db.deleteFrom('applications')], { durability: 'normal' });
});

afterAll(async () => {
  await app.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

type Request = InjectOptions & { token?: string };
const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, request: Request = {}) => {
  const { token = adminToken, headers, ...rest } = request;
  const authorization = token === '' ? {} : { authorization: `Bearer ${token}` };
  return app.inject({ method, url, headers: { ...authorization, ...headers }, ...rest });
};
/** D: a JSON string that contains JSON. */
const twice = (body: string) => JSON.parse(JSON.parse(body) as string);

const service = { microservice_namespace: 'test', virtualization: 'container', code: 'nginx' };
const sla = (name = 'shop', fields: object = {}) => ({
  sla_version: 'v2.0',
  customerID: 'Admin',
  applications: [
    {
      application_name: name,
      application_namespace: 'test',
      microservices: [
        { ...service, microservice_name: 'web' },
        { ...service, microservice_name: 'db' },
      ],
      ...fields,
    },
  ],
});
const deployShop = async (token = adminToken) => {
  const answer = await call('POST', '/api/application/', { payload: sla(), token });
  const [application] = twice(answer.body);
  return { id: application.applicationID as string, services: application.microservices as string[] };
};

describe('every route', () => {
  it('says who may call it, and nobody else may', async () => {
    const outcomes = new Map<string, string>();
    for (const { method, path, access } of classicRoutes(parts)) {
      const url = path.replace(':number', '0').replace(/:\w+/g, 'e'.repeat(24));
      const payload = method === 'POST' || method === 'PUT' ? { payload: {} } : {};
      const withoutToken = await call(method, url, { token: '', ...payload });
      const asUser = await call(method, url, { token: bobToken, ...payload });
      const isOpen = withoutToken.statusCode !== 401;
      expect(isOpen, `${method} ${path} without token`).toBe(access === 'public');
      // Nobody reads the account of another.
      const isOwn = path.includes(':username');
      expect(asUser.statusCode === 403, `${method} ${path} without role`).toBe(
        access === 'admin' || access === 'peer' || isOwn,
      );
      if (access === 'refresh') expect(asUser.statusCode, path).toBe(401);
      outcomes.set(`${method} ${path}`, access);
    }
    expect(outcomes.size).toBe(37);
    expect([...outcomes].filter(([, access]) => access === 'public').map(([route]) => route)).toEqual([
      'GET /status',
      'POST /api/auth/login',
      'POST /api/user',
      'PUT /api/user',
    ]);
  });

  it('cannot be added without saying it', () => {
    const face = createClassicFace({ ...parts, logger });
    expect(() => face.get('/api/open', async () => 'x')).toThrow('/api/open does not say who may call it');
  });

  it('answers with and without a slash at the end, and with a bare question mark', async () => {
    for (const url of [
      '/api/applications',
      '/api/applications/',
      '/api/applications?',
      '/api/applications/?',
    ]) {
      expect((await call('GET', url)).statusCode, url).toBe(200);
    }
  });
});

describe('login and refresh (root-api 3.3)', () => {
  const login = (payload: unknown, headers = {}) =>
    app.inject({ method: 'POST', url: '/api/auth/login', payload: payload as string, headers });

  it('give tokens, plainly encoded', async () => {
    const answer = await login({ username: 'Admin', password: 'secret', organization_name: 'root' });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(Object.keys(answer.json())).toEqual(['token', 'refresh_token']);
    const renewed = await call('POST', '/api/auth/refresh', {
      token: answer.json().refresh_token,
      payload: {},
    });
    expect(Object.keys(renewed.json())).toEqual(['token']);
    expect((await call('GET', '/api/clusters', { token: renewed.json().token })).statusCode).toBe(200);
  });

  it.each([
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-8',
  ])('take a body that calls itself %s', async (type) => {
    const payload = '{"username": "Admin", "password": "secret"}';
    expect((await login(payload, { 'content-type': type })).statusCode).toBe(200);
  });

  it('refuse with the status of the contract', async () => {
    const wrong = await login({ username: 'Admin', password: 'wrong' });
    expect(wrong.statusCode).toBe(401);
    expect(wrong.json()).toMatchObject({ code: 401, status: 'Unauthorized', message: expect.any(String) });
    await clock.advance(5000);
    const nowhere = { username: 'Admin', password: 'secret', organization_name: 'nowhere' };
    expect((await login(nowhere)).statusCode).toBe(404);
    expect((await login({ username: 'Admin' })).statusCode).toBe(400);
    expect((await login({ username: 'Admin', password: null })).statusCode).toBe(400);
    expect((await login('')).statusCode).toBe(400);
  });
});

describe('tokens that are not good enough (root-api 3.2)', () => {
  it.each([
    [undefined, 'Missing Authorization Header'],
    [
      'Basic QWRtaW46QWRtaW4=',
      "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'",
    ],
    ['Bearer ', "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"],
    ['Bearer x', 'Not enough segments'],
  ])('like %j get 401 and the reason under both names', async (authorization, reason) => {
    const headers = authorization === undefined ? {} : { authorization };
    const answer = await call('GET', '/api/applications', { token: '', headers });
    expect(answer.statusCode).toBe(401);
    expect(answer.json()).toEqual({ code: 401, status: 'Unauthorized', msg: reason, message: reason });
  });

  it('include refresh tokens, and access tokens where a refresh token is needed', async () => {
    expect((await call('GET', '/api/clusters', { token: refreshToken })).json().msg).toBe(
      'Only non-refresh tokens are allowed',
    );
    expect((await call('POST', '/api/auth/refresh')).json().msg).toBe('Only refresh tokens are allowed');
  });

  it('include those without the role that is needed', async () => {
    const answer = await call('GET', '/api/applications', { token: bobToken });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({ message: 'You have not enough permissions!' });
  });
});

describe('bodies (root-api 2.3)', () => {
  const post = (payload: string, token?: string) =>
    call('POST', '/api/application', { payload, ...(token === undefined ? {} : { token }) });

  it('that are no JSON are refused before the token is looked at', async () => {
    for (const payload of ['{', '{"a": 1,}', '{"__proto__": {}}']) {
      const answer = await post(payload, '');
      expect(answer.statusCode, payload).toBe(400);
      expect(answer.json(), payload).toMatchObject({
        ...{ code: 400, status: 'Bad Request', message: expect.any(String) },
        errors: { json: ['Invalid JSON body.'] },
      });
    }
  });

  it('that are JSON but no object are refused as such', async () => {
    const answer = await post('[]');
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ errors: { json: { _schema: ['Invalid input type.'] } } });
  });

  it('that are empty or far too large are refused', async () => {
    expect((await post('')).statusCode).toBe(400);
    const large = await post(`"${'x'.repeat(5 * 1024 * 1024)}"`);
    expect(large.statusCode).toBe(413);
    expect(large.json()).toMatchObject({ code: 413, message: expect.any(String) });
  });

  it('do not matter where none is expected', async () => {
    const { services } = await deployShop();
    const url = `/api/service/${services[0]}/instance`;
    for (const payload of ['', '{', 'null']) {
      const headers = { 'content-type': 'application/json' };
      expect((await call('POST', url, { payload, headers })).statusCode).toBe(200);
    }
    expect((await call('POST', url)).statusCode).toBe(200);
  });
});

describe('applications (root-api 4.4)', () => {
  it('are created and listed in encoding D, all of the caller, oldest first', async () => {
    await call('POST', '/api/application', { payload: sla('first', { microservices: [] }) });
    const answer = await call('POST', '/api/application/', { payload: sla() });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    const [first, second] = twice(answer.body);
    expect(first).toMatchObject({ application_name: 'first', microservices: [], application_desc: '' });
    expect(second).toEqual({
      _id: { $oid: second.applicationID },
      applicationID: expect.stringMatching(/^[0-9a-f]{24}$/),
      application_name: 'shop',
      application_namespace: 'test',
      application_desc: '',
      microservices: [expect.stringMatching(/^[0-9a-f]{24}$/), expect.any(String)],
      userId: 'Admin',
    });
    expect((await call('GET', '/api/application')).body).toBe(answer.body);
    expect((await call('GET', '/api/applications')).body).toBe(answer.body);
  });

  it('are shown one by one as plain objects (Q16)', async () => {
    const { id } = await deployShop();
    const answer = await call('GET', `/api/application/${id}`);
    expect(answer.json()).toMatchObject({ applicationID: id, application_name: 'shop' });
  });

  it('are listed by user id for that user alone', async () => {
    await deployShop(bobToken);
    const own = await call('GET', `/api/applications/${bobId}`, { token: bobToken });
    expect(twice(own.body)).toMatchObject([{ userId: 'bob' }]);
    expect((await call('GET', `/api/applications/${bobId}`)).statusCode).toBe(401);
    expect(twice((await call('GET', '/api/applications')).body)).toMatchObject([{ userId: 'bob' }]);
  });

  it('of others are answered like missing ones, also for administrators', async () => {
    const { id } = await deployShop(bobToken);
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await call(method, `/api/application/${id}`)).statusCode).toBe(404);
      expect((await call(method, '/api/application/nonsense')).statusCode).toBe(404);
    }
    expect((await call('GET', `/api/services/${id}`)).statusCode).toBe(404);
  });

  it('are deleted with their services', async () => {
    const { id } = await deployShop();
    const answer = await call('DELETE', `/api/application/${id}`);
    expect(answer.json()).toEqual({ message: 'Application Deleted' });
    expect(deployments.services()).toEqual([]);
    expect((await call('DELETE', `/api/application/${id}`)).statusCode).toBe(404);
  });

  it('that are invalid are refused with everything that is wrong', async () => {
    const answer = await call('POST', '/api/application', {
      payload: { ...sla('a-b'), sla_version: 'v1.0' },
    });
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toEqual({
      code: 422,
      status: 'Unprocessable Entity',
      message: expect.stringContaining('sla_version must be "v2.0"'),
      errors: {
        json: {
          sla_version: ['must be "v2.0", the version that this root speaks, not "v1.0"'],
          'applications[0].application_name': [expect.stringContaining('not "a-b"')],
        },
      },
    });
  });

  it('that exist already are a conflict', async () => {
    await deployShop();
    const answer = await call('POST', '/api/application', { payload: sla() });
    expect(answer.statusCode).toBe(409);
    expect(answer.json().message).toContain('you have an application shop in the namespace test already');
  });
});

describe('services (root-api 4.5)', () => {
  it('are shown in encoding D, with the fields and types that strict clients need (Q33)', async () => {
    const { id, services } = await deployShop();
    await call('POST', `/api/service/${services[0]}/instance`);
    const answer = await call('GET', `/api/service/${services[0]}`);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(twice(answer.body)).toMatchObject({
      _id: { $oid: services[0] },
      microserviceID: services[0],
      applicationID: id,
      job_name: 'shop.test.web.test',
      virtualization: 'docker',
      status: 'RUNNING',
      next_instance_progressive_number: 1,
      instance_list: [
        {
          ...{ instance_number: 0, cluster_id: clusterId, cluster_location: '48.1,11.6,1000' },
          ...{ status: 'RUNNING', publicip: '192.0.2.9', host_ip: '192.0.2.9', host_port: 50_103 },
          ...{ cpu_percent: '1.500000', memory_percent: '1048576.000000', disk: '4096', logs: 'ready\n' },
          ...{ cpu_history: [], memory_history: [] },
        },
      ],
    });
  });

  it('are listed for an application, for the caller and for administrators', async () => {
    const { id, services } = await deployShop(bobToken);
    const idsOf = (body: string) =>
      twice(body).map((entry: { microserviceID: string }) => entry.microserviceID);
    expect(idsOf((await call('GET', `/api/services/${id}/`, { token: bobToken })).body)).toEqual(services);
    expect(idsOf((await call('GET', '/api/service', { token: bobToken })).body)).toEqual(services);
    expect(idsOf((await call('GET', '/api/services')).body)).toEqual(services);
    expect(idsOf((await call('GET', '/api/service/')).body)).toEqual([]);
  });

  it('are added to an application', async () => {
    const { id } = await deployShop();
    const cache = { applicationID: id, microservices: [{ ...service, microservice_name: 'cache' }] };
    const answer = await call('POST', '/api/service/', { payload: sla('shop', cache) });
    const added = deployments.serviceByJobName('shop.test.cache.test');
    expect(answer.json()).toEqual({
      job_id: added?.id,
      deployed_services: [{ service_name: 'cache', status: 200 }],
      failed_services: [],
    });
    expect((await call('POST', '/api/service', { payload: sla('shop', cache) })).statusCode).toBe(409);
    const elsewhere = sla('shop', { ...cache, applicationID: 'e'.repeat(24) });
    expect((await call('POST', '/api/service', { payload: elsewhere })).statusCode).toBe(404);
  });

  it('are changed', async () => {
    const { services } = await deployShop();
    const change = (microservices: readonly object[]) =>
      call('PUT', `/api/service/${services[0]}`, { payload: sla('shop', { microservices }) });
    const web = { ...service, microservice_name: 'web' };
    const changed = await change([{ ...web, microserviceID: services[0], code: 'nginx:2' }]);
    expect([changed.statusCode, changed.body]).toEqual([200, '{}']);
    expect(twice((await call('GET', `/api/service/${services[0]}`)).body)).toMatchObject({
      image: 'nginx:2',
    });
    for (const wrong of [[], [web, web], [{ ...web, microservice_name: 'other' }]]) {
      expect((await change(wrong)).statusCode).toBe(422);
    }
  });

  it('of others are answered like missing ones (Q25)', async () => {
    const { services } = await deployShop(bobToken);
    const url = `/api/service/${services[0]}`;
    expect((await call('GET', url)).statusCode).toBe(404);
    expect((await call('DELETE', url)).statusCode).toBe(404);
    expect((await call('POST', `${url}/instance`)).statusCode).toBe(404);
    expect((await call('DELETE', `${url}/instance/-1`)).statusCode).toBe(404);
    expect(deployments.services()).toHaveLength(2);
  });

  it('that were adopted from below belong to the owner of their application', async () => {
    const document = {
      ...{ microserviceID: 'd'.repeat(24), applicationID: 'e'.repeat(24), job_name: 'old.test.web.test' },
      ...{ app_name: 'old', app_ns: 'test', service_name: 'web', service_ns: 'test' },
      ...{ virtualization: 'docker', image: 'nginx', code: 'nginx' },
    };
    const ownerUserId = '9'.repeat(24);
    await deployments.registerService({ id: document.microserviceID, ownerUserId, document });
    const url = `/api/service/${document.microserviceID}`;
    expect((await call('GET', url)).statusCode).toBe(404);
    await parts.applications.adoptFromBelow({ document, ownerUserId });
    expect((await call('GET', url)).statusCode).toBe(200);
    expect((await call('GET', url, { token: bobToken })).statusCode).toBe(404);
  });

  it('are deleted', async () => {
    const { id, services } = await deployShop();
    const answer = await call('DELETE', `/api/service/${services[0]}`);
    expect(answer.json()).toEqual({ message: 'Job deleted' });
    expect((await call('GET', `/api/application/${id}`)).json().microservices).toEqual([services[1]]);
  });
});

describe('instances (root-api 4.5)', () => {
  it('are removed one by one or all at once', async () => {
    const { services } = await deployShop();
    const url = `/api/service/${services[0]}/instance`;
    const numbers = () => deployments.service(services[0] ?? '')?.instances.map(({ number }) => number);
    for (let count = 0; count < 3; count += 1) {
      expect((await call('POST', url)).json()).toEqual({ message: 'ok' });
    }
    expect((await call('DELETE', `${url}/1`)).json()).toEqual({ message: 'ok' });
    expect(numbers()).toEqual([0, 2]);
    expect((await call('DELETE', `${url}/1`)).statusCode).toBe(404);
    expect((await call('DELETE', `${url}/-1/`)).json()).toEqual({ message: 'ok' });
    expect(numbers()).toEqual([]);
  });

  it.each(['x', '-2', '1.5', '99999999999', '%00'])('have no number %s', async (number) => {
    const { services } = await deployShop();
    const answer = await call('DELETE', `/api/service/${services[0]}/instance/${number}`);
    expect(answer.statusCode).toBe(422);
  });
});

describe('clusters (root-api 4.6)', () => {
  it('are listed in encoding T, which no browser may run', async () => {
    const answer = await call('GET', '/api/clusters');
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['content-security-policy']).toContain('sandbox');
    expect(JSON.parse(answer.body)).toMatchObject([
      { cluster_name: 'c1', _id: clusterId },
      { active: false },
    ]);
    const active = await call('GET', '/api/clusters/active');
    expect(JSON.parse(active.body)).toMatchObject([{ cluster_name: 'c1', active: true }]);
  });
});

describe('what is not there', () => {
  it('is a 404 or a 405 of the usual shape', async () => {
    const unknown = await call('GET', '/api/nothing?token=secret');
    expect(unknown.statusCode).toBe(404);
    expect(unknown.json()).toEqual({
      code: 404,
      status: 'Not Found',
      message: 'There is no GET /api/nothing.',
    });
    const wrongMethod = await call('DELETE', '/api/applications/');
    expect(wrongMethod.statusCode).toBe(405);
    expect(wrongMethod.headers.allow).toBe('GET, OPTIONS');
    expect(wrongMethod.json()).toMatchObject({ code: 405, status: 'Method Not Allowed' });
    const badAddress = await call('GET', '/api/service/%zz');
    expect(badAddress.statusCode).toBe(400);
    expect(badAddress.json()).toMatchObject({ code: 400, message: expect.any(String) });
  });
});

describe('pages of other origins (root-api 2.4)', () => {
  it('may ask first, without a token', async () => {
    const headers = { origin: 'http://dashboard.example', 'access-control-request-headers': 'authorization' };
    const answer = await app.inject({ method: 'OPTIONS', url: '/api/applications/', headers });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'http://dashboard.example',
      'access-control-allow-headers': 'authorization',
      vary: 'Origin',
    });
    const refused = await call('GET', '/api/applications', { token: '', headers });
    expect(refused.headers['access-control-allow-origin']).toBe('http://dashboard.example');
  });
});

describe('failures of our own', () => {
  it('to look something up do not say that it is missing', async () => {
    const { services } = await deployShop();
    let lookups = 0;
    const application = async (id: string) => {
      lookups += 1;
      if (lookups === 1) return parts.applications.application(id);
      throw new OakestraError('unavailable', 'not-leading', 'Another root leads by now.');
    };
    const face = createClassicFace({
      ...parts,
      applications: { ...parts.applications, application },
      logger,
    });
    const headers = { authorization: `Bearer ${adminToken}` };
    const answer = await face.inject({ method: 'GET', url: `/api/service/${services[0]}`, headers });
    expect([answer.statusCode, lookups]).toEqual([503, 2]);
  });

  it('are logged, and answered without their reason', async () => {
    const broken = {
      ...deployments,
      services: () => {
        throw new Error('secret detail');
      },
    };
    const face = createClassicFace({ ...parts, deployments: broken, logger });
    const headers = { authorization: `Bearer ${adminToken}` };
    const answer = await face.inject({ method: 'GET', url: '/api/services?x=token', headers });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: 500, status: 'Internal Server Error' });
    expect(answer.body).not.toContain('secret detail');
    expect(logged).toContain('secret detail');
    expect(logged).not.toContain(adminToken);
  });
});
