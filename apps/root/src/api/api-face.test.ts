import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FleetCommand, Sensitive } from '@oakestra/contracts';
import { endpoints } from '@oakestra/contracts/api';
import { createLogger, systemClock, systemDisk, systemRandom } from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AddressesSchema, addressesMigrations, openAddresses } from '../addresses/index.ts';
import { type ApplicationsSchema, applicationsMigrations, openApplications } from '../applications/index.ts';
import { type AuditSchema, auditMigrations, openAuditJournal } from '../audit/index.ts';
import { type EventJournal, type EventsSchema, eventsMigrations, openEventJournal } from '../events/index.ts';
import { type FleetSchema, fleetMigrations, openFleet } from '../fleet/index.ts';
import { createHttpApp } from '../http/index.ts';
import { type IdentitySchema, identityMigrations, openIdentity } from '../identity/index.ts';
import { type SealedObjectsSchema, sealedObjectsMigrations } from '../sealed-objects/index.ts';
import {
  createFakeClusters,
  createFakeDeployments,
  openTestSealedObjects,
  reportWorkers,
  WORKER,
  WORKER_ID,
} from '../testing/index.ts';
import { apiFace, createIdempotencyKeys, type IdempotencySchema, idempotencyMigrations } from './index.ts';

type Schema = AddressesSchema &
  AuditSchema &
  IdentitySchema &
  ApplicationsSchema &
  EventsSchema &
  FleetSchema &
  IdempotencySchema &
  SealedObjectsSchema;

const clusterId = '6b02a0761c5b34961e7f558b';
const cluster = {
  ...{ id: clusterId, name: 'c1', location: '48.1,11.6', address: '192.0.2.7', port: 10_100 },
  ...{ isActive: true, activeWorkers: 2, vcpus: 8, memoryMib: 16_000, cpuPercent: 12.5, memoryPercent: 30 },
  ...{ virtualization: ['docker'], labels: {}, setLabels: {}, lastSeenAtMs: 1_795_334_263_360 },
  ...{ availability: 'open' as const, instanceCount: 3 },
};
const deployments = createFakeDeployments(clusterId);
const stopping = new AbortController();
let folder: string;
let store: Store<Schema>;
let events: EventJournal;
let app: FastifyInstance;
let adminToken: string;
let bobToken: string;
/** Commands to clusters. */
const told: FleetCommand[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-api-'));
  const [clock, random] = [systemClock(), systemRandom()];
  const logger = createLogger({ output: { write: () => undefined } });
  const migrations = {
    ...identityMigrations,
    ...addressesMigrations,
    ...auditMigrations,
    ...applicationsMigrations,
    ...eventsMigrations,
    ...fleetMigrations,
    ...idempotencyMigrations,
    ...sealedObjectsMigrations,
  };
  store = await openSqliteStore<Schema>({ path: join(folder, 'root.db'), migrations, logger, clock, random });
  const shared = { store, clock, random, logger };
  const audit = await openAuditJournal(shared);
  const identity = await openIdentity({
    ...shared,
    audit,
    disk: systemDisk(),
    stateDir: folder,
    adminPassword: new Sensitive('secret'),
  });
  await identity.createUser({ name: 'bob', email: '', password: 'secret', organisation: 'root', roles: [] });
  const addresses = await openAddresses(shared);
  const sealedObjects = await openTestSealedObjects({ ...shared, audit, deployments });
  const applications = await openApplications({
    ...{ ...shared, addresses, identity, deployments, sealedObjects },
  });
  events = await openEventJournal(shared);
  const fleet = await openFleet({ ...shared, send: (_cluster, command) => void told.push(command) });
  reportWorkers(fleet, cluster.id, { [WORKER_ID]: WORKER });
  app = createHttpApp({
    faces: [
      apiFace({
        ...{ identity, audit, applications, deployments, sealedObjects, events, fleet, clock, logger },
        clusters: createFakeClusters([cluster]),
        idempotency: createIdempotencyKeys(store, clock),
        version: '1.2.3',
        stopping: stopping.signal,
      }),
    ],
    logger,
    cors: ['https://dashboard.example.org'],
  });
  const login = async (userName: string) =>
    (await identity.login({ userName, password: 'secret', address: '192.0.2.1' })).accessToken;
  adminToken = await login('Admin');
  bobToken = await login('bob');
});

beforeEach(async () => {
  deployments.clear();
  await store.commit([store.db.deleteFrom('applications')], { durability: 'normal' });
});

afterAll(async () => {
  await app.close();
  await events.stop();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
const call = (method: Method, path: string, options: InjectOptions & { token?: string } = {}) => {
  const { token = adminToken, headers, ...rest } = options;
  const authorization = token === '' ? {} : { authorization: `Bearer ${token}` };
  return app.inject({ method, url: `/api/v2${path}`, headers: { ...authorization, ...headers }, ...rest });
};
const sla = (name: string) => ({
  sla_version: 'v2.0',
  customerID: 'x',
  applications: [
    {
      application_name: name,
      application_namespace: 'prod',
      microservices: [
        {
          microservice_name: 'web',
          microservice_namespace: 'prod',
          virtualization: 'container',
          code: 'nginx',
          anything: { else: 1 },
        },
      ],
    },
  ],
});
async function submitted(
  name = 'shop',
  token = adminToken,
): Promise<{ applicationId: string; serviceId: string }> {
  const answer = await call('POST', '/applications', { token, payload: sla(name) });
  expect(answer.statusCode).toBe(201);
  const [application] = answer.json().applications;
  return { applicationId: application.id, serviceId: application.serviceIds[0] };
}

describe('every operation', () => {
  const paths = Object.values(endpoints).map(({ method, path }) => [
    method as Method,
    path.replaceAll(/\{\w+\}/g, '0'),
  ]);
  it.each(paths)('needs a token: %s %s', async (method, path) => {
    const answer = await call(method as Method, path as string, { token: '' });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json()).toMatchObject({
      status: 401,
      type: expect.stringMatching(/^urn:oakestra:problem:token-/),
    });
  });

  it('is described', async () => {
    const answer = await call('GET', '/openapi.json', { token: '' });
    expect(answer.json()).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
  });
});

describe('applications and services', () => {
  it('come from an SLA and keep what nobody knows', async () => {
    const { applicationId, serviceId } = await submitted();
    const application = (await call('GET', `/applications/${applicationId}`)).json();
    expect(application).toMatchObject({ name: 'shop', namespace: 'prod', serviceIds: [serviceId] });
    expect((await call('GET', `/services/${serviceId}`)).json()).toMatchObject({
      name: 'shop.prod.web.prod',
      replicas: 0,
      status: null,
      document: { anything: { else: 1 } },
    });
  });

  it('may come as YAML, with the place of what cannot be read', async () => {
    const asYaml = (payload: string) =>
      call('POST', '/applications', { payload, headers: { 'content-type': 'application/yaml' } });
    const answer = await asYaml(
      'sla_version: v2.0\ncustomerID: x\napplications:\n  - {application_name: y, application_namespace: p, microservices: []}\n',
    );
    expect(answer.json()).toMatchObject({ applications: [{ name: 'y' }] });
    expect((await asYaml('a: [1,\nb: {')).json().detail).toMatch(/no valid YAML.*line/s);
  });

  it('are listed in pages, whole and in order', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await submitted(name);
    const names: string[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < 9; pages += 1) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { items, nextCursor } = (await call('GET', `/applications?limit=2${query}`)).json();
      names.push(...items.map(({ name }: { name: string }) => name));
      cursor = nextCursor;
    }
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect((await call('GET', '/applications?name=c')).json().items).toHaveLength(1);
  });

  it('of others are not there, except for administrators', async () => {
    const { applicationId, serviceId } = await submitted();
    for (const path of [`/applications/${applicationId}`, `/services/${serviceId}`]) {
      expect((await call('GET', path, { token: bobToken })).statusCode).toBe(404);
      expect((await call('DELETE', path, { token: bobToken })).statusCode).toBe(404);
    }
    expect((await call('GET', '/services', { token: bobToken })).json().items).toEqual([]);
    const own = await submitted('bobs', bobToken);
    expect((await call('GET', `/services/${own.serviceId}`)).statusCode).toBe(200);
  });

  it('are refused with every rule that is broken', async () => {
    const answer = await call('POST', '/applications', { payload: { sla_version: 'v9' } });
    expect(answer.statusCode).toBe(422);
    const paths = answer.json().violations.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(expect.arrayContaining(['sla_version', 'customerID', 'applications']));
  });

  it('are removed', async () => {
    const { applicationId, serviceId } = await submitted();
    expect((await call('DELETE', `/applications/${applicationId}`)).statusCode).toBe(204);
    expect((await call('GET', `/services/${serviceId}`)).statusCode).toBe(404);
  });
});

describe('a change of a service', () => {
  const web = { microservice_name: 'web', microservice_namespace: 'prod', virtualization: 'container' };
  const change = (serviceId: string, body: object) =>
    call('PUT', `/services/${serviceId}`, { payload: body });

  it('is taken in, and told with the revision', async () => {
    const { serviceId } = await submitted();
    const before = (await call('GET', `/services/${serviceId}`)).json();
    const answer = await change(serviceId, { microservice: { ...web, code: 'nginx:2' }, maxUnavailable: 1 });
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toMatchObject({
      id: serviceId,
      name: before.name,
      revision: 2,
      document: { image: 'nginx:2', RR_ip: before.document.RR_ip, RR_ip_v6: before.document.RR_ip_v6 },
    });
  });

  it('may repeat the address and the id, and not change a name or an address', async () => {
    const { serviceId } = await submitted();
    const { document } = (await call('GET', `/services/${serviceId}`)).json();
    const same = { ...web, code: 'nginx', microserviceID: serviceId, addresses: { rr_ip: document.RR_ip } };
    expect((await change(serviceId, { microservice: same })).statusCode).toBe(202);
    const other = { ...same, microservice_name: 'other', addresses: { rr_ip: '10.30.200.200' } };
    const answer = await change(serviceId, { microservice: other });
    expect(answer.json()).toMatchObject({
      status: 422,
      code: 'sla-invalid',
      violations: [
        { path: 'microservice.microservice_name', message: expect.stringContaining('must stay "web"') },
        { path: 'microservice.addresses.rr_ip', message: expect.stringContaining(document.RR_ip) },
      ],
    });
    expect(answer.json().detail).not.toContain('applications[0]');
    const faulty = await change(serviceId, {
      microservice: { ...web, code: '', memory: 'much' },
      giveUpSeconds: 0,
    });
    expect(faulty.json().violations).toMatchObject([{ path: 'giveUpSeconds' }]);
    const broken = await change(serviceId, { microservice: { ...web, code: 'nginx', memory: 'much' } });
    expect(broken.json().violations).toMatchObject([{ path: 'microservice.memory' }]);
  });
});

describe('instances', () => {
  it('are as many as one asks for', async () => {
    const { serviceId } = await submitted();
    const replicas = (count: unknown) =>
      call('PUT', `/services/${serviceId}/replicas`, { payload: { replicas: count } });
    expect((await replicas(3)).json()).toMatchObject({ replicas: 3, runningReplicas: 3, status: 'RUNNING' });
    expect((await replicas(1)).json()).toMatchObject({ replicas: 1 });
    for (const wrong of [-1, 1.5, '2', null]) {
      const answer = await replicas(wrong);
      expect(answer.statusCode).toBe(422);
      expect(answer.json().violations[0].path).toBe('replicas');
    }
  });

  it('are asked for and removed one by one', async () => {
    const { serviceId } = await submitted();
    const answer = await call('POST', `/services/${serviceId}/instances`);
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toMatchObject({ number: 0, clusterName: 'c1' });
    const path = `/services/${serviceId}/instances/0`;
    expect((await call('GET', `${path}/output`)).json()).toEqual({ output: 'ready\n' });
    expect((await call('DELETE', path)).statusCode).toBe(204);
    expect((await call('GET', path)).json()).toMatchObject({ code: 'instance-not-found', status: 404 });
  });

  it('have a history', async () => {
    const { serviceId } = await submitted();
    for (const detail of ['one', 'two', 'three']) {
      events.add({ kind: 'instance-changed', ownerUserId: 'u', serviceId, number: 0, detail });
    }
    const path = `/services/${serviceId}/instances/0/history?limit=2`;
    const first = (await call('GET', path)).json();
    expect(first.items.map(({ detail }: { detail: string }) => detail)).toEqual(['three', 'two']);
    const second = (await call('GET', `${path}&cursor=${first.nextCursor}`)).json();
    expect(second).toMatchObject({ items: [{ detail: 'one' }], nextCursor: null });
  });
});

describe('a request', () => {
  it('is done once under one Idempotency-Key', async () => {
    const { serviceId } = await submitted();
    const ask = (key: string, count = 1) =>
      call('POST', `/services/${serviceId}/instances?${'x'.repeat(0)}`, {
        headers: { 'idempotency-key': key },
        ...(count === 1 ? {} : { payload: { other: count } }),
      });
    const answers = await Promise.all([ask('k1'), ask('k1'), ask('k1')]);
    expect(answers.map((answer) => answer.json().number)).toEqual([0, 0, 0]);
    expect((await ask('k2')).json().number).toBe(1);
    expect((await ask('k1', 2)).json()).toMatchObject({ code: 'idempotency-key-reused', status: 409 });
  });

  it('that failed may be tried again under the same key', async () => {
    const headers = { 'idempotency-key': 'again' };
    const refused = await call('POST', '/applications', { headers, payload: { sla_version: 'v2.0' } });
    expect(refused.statusCode).toBe(422);
    const repeated = await call('POST', '/applications', { headers, payload: { sla_version: 'v2.0' } });
    expect(repeated.statusCode).toBe(422);
  });

  it('can demand that nobody changed the definition meanwhile', async () => {
    const { serviceId } = await submitted();
    const path = `/services/${serviceId}`;
    const etag = String((await call('GET', path)).headers.etag);
    expect((await call('GET', path, { headers: { 'if-none-match': etag } })).statusCode).toBe(304);
    const change = (ifMatch: string, replicas: number) =>
      call('PUT', `${path}/replicas`, { headers: { 'if-match': ifMatch }, payload: { replicas } });
    const changed = await change(etag, 2);
    expect(changed.statusCode).toBe(200);
    expect((await change(etag, 3)).json()).toMatchObject({ status: 412, code: 'revision-stale' });
    expect((await change(String(changed.headers.etag), 3)).statusCode).toBe(200);
  });

  it('keeps no token that was made under an Idempotency-Key', async () => {
    const make = () =>
      call('POST', '/me/tokens', {
        headers: { 'idempotency-key': 'a token' },
        payload: { name: 'keyed', scopes: ['read'] },
      });
    const made = await make();
    expect(made.json().token).toMatch(/^oak_/);
    expect((await make()).json()).toMatchObject({ status: 409, code: 'secret-shown-once' });
    const kept = await store.db.selectFrom('idempotency_keys').select('result').execute();
    expect(JSON.stringify(kept)).not.toContain('oak_');
    await call('DELETE', `/me/tokens/${made.json().id}`);
  });

  it('is told which parameter nobody knows', async () => {
    const answer = await call('GET', '/services?nmae=x');
    expect(answer.statusCode).toBe(400);
    expect(answer.json().detail).toMatch(/^nmae: is not known here; there are limit, cursor/);
    expect((await call('GET', '/services?limit=0')).json().violations[0].path).toBe('limit');
    expect((await call('GET', '/services?cursor=%21')).statusCode).toBe(400);
  });

  it('to nowhere is told where to look', async () => {
    expect((await call('GET', '/nowhere')).json().detail).toContain('/api/v2/openapi.json');
  });

  it('of a page is let in from known origins only', async () => {
    const from = async (origin: string) =>
      (await call('GET', '/me', { headers: { origin } })).headers['access-control-allow-origin'];
    expect(await from('https://dashboard.example.org')).toBe('https://dashboard.example.org');
    expect(await from('https://elsewhere.example.org')).toBeUndefined();
  });
});

describe('an account', () => {
  it('has tokens for scripts, which may what they say and can be revoked', async () => {
    const created = await call('POST', '/me/tokens', { payload: { name: 'ci', scopes: ['read'] } });
    expect(created.statusCode).toBe(201);
    const { id, token } = created.json();
    expect((await call('GET', '/me', { token })).json().userName).toBe('Admin');
    expect((await call('POST', '/applications', { token, payload: sla('x') })).json().code).toBe(
      'scope-missing',
    );
    const { items } = (await call('GET', '/me/tokens')).json();
    expect(items).toEqual([expect.objectContaining({ id, name: 'ci', scopes: ['read'] })]);
    expect(JSON.stringify(items)).not.toContain(token);
    expect((await call('DELETE', `/me/tokens/${id}`)).statusCode).toBe(204);
    expect((await call('GET', '/me', { token })).statusCode).toBe(401);
    const wrong = await call('POST', '/me/tokens', { payload: { name: '', scopes: ['x'] } });
    expect(wrong.json().violations.map(({ path }: { path: string }) => path)).toEqual(['name', 'scopes.0']);
  });

  it('leaves a trail that administrators read', async () => {
    await call('POST', '/me/tokens', { payload: { name: 'trail', scopes: ['read'] } });
    const { items } = (await call('GET', '/audit?userName=Admin&limit=1')).json();
    expect(items).toEqual([expect.objectContaining({ action: 'personal-token.create', outcome: 'done' })]);
    expect(items[0].actor).toMatchObject({ userName: 'Admin', address: '127.0.0.1' });
    expect((await call('GET', '/audit', { token: bobToken })).statusCode).toBe(403);
  });
});

describe('secrets and configs', () => {
  const VALUE = 'correct-horse-battery';
  const create = (kind: string, name: string, headers = {}) =>
    call('POST', `/${kind}s`, { payload: { name, text: VALUE }, headers });

  it('a secret is never read back, a config is, in each of its versions', async () => {
    const secret = await create('secret', 'db');
    expect(secret.statusCode).toBe(201);
    const { id } = secret.json();
    const config = (await create('config', 'nginx')).json();
    const put = await call('PUT', `/configs/${config.id}`, { payload: { text: 'two', description: 'new' } });
    expect(put.json()).toMatchObject({ version: 2, description: 'new', versions: [{ sizeBytes: 3 }, {}] });
    const answers = [secret, await call('GET', `/secrets/${id}`), await call('GET', '/secrets'), put];
    answers.push(
      await call('PUT', `/secrets/${id}`, { payload: { text: VALUE } }),
      await call('GET', '/configs'),
    );
    answers.push(await call('GET', '/audit'));
    for (const { body } of answers) expect(body).not.toContain(VALUE);
    const read = async (query = '') => (await call('GET', `/configs/${config.id}${query}`)).json().content;
    expect(await read()).toEqual({ version: 2, text: 'two', base64: 'dHdv' });
    expect((await read('?version=1')).text).toBe(VALUE);
    expect((await call('GET', `/configs/${id}`)).statusCode).toBe(404);
  });

  it('are changed only as they were read, and said to be wrong without what they hold', async () => {
    const { id } = (await create('secret', 'shared')).json();
    const { etag } = (await call('GET', `/secrets/${id}`)).headers;
    const put = (payload: object, headers = {}) => call('PUT', `/secrets/${id}`, { payload, headers });
    expect((await put({ text: 'two' }, { 'if-match': etag })).statusCode).toBe(200);
    expect((await put({ text: 'three' }, { 'if-match': etag })).statusCode).toBe(412);
    for (const payload of [{ text: [VALUE] }, { text: VALUE, base64: VALUE }, { base64: `${VALUE}!` }]) {
      const answer = await put(payload);
      expect([answer.statusCode, answer.body.includes(VALUE)]).toEqual([422, false]);
    }
  });

  it('created under an idempotency key leave nothing of the value in the store', async () => {
    const headers = { 'idempotency-key': 'secret-1' };
    const first = await create('secret', 'once', headers);
    expect((await create('secret', 'once', headers)).json()).toEqual(first.json());
    const [row] = await store.db.selectFrom('idempotency_keys').selectAll().execute();
    expect(JSON.stringify(row)).not.toContain(VALUE);
    const plain = createHash('sha256')
      .update(`createSecret\n/api/v2/secrets\n${JSON.stringify({ name: 'once', text: VALUE })}`)
      .digest('base64url');
    expect(row?.fingerprint, 'a hash that a guess could find').not.toBe(plain);
  });

  it('are used by services, which keep them from being removed', async () => {
    const { id } = (await create('secret', 'used')).json();
    const submit = (secret: string) =>
      call('POST', '/applications', {
        payload: {
          ...{ sla_version: 'v2.0', customerID: 'x' },
          applications: [
            {
              ...{ application_name: 'user', application_namespace: 'test' },
              microservices: [
                {
                  ...{ microservice_name: 'web', microservice_namespace: 'test' },
                  ...{ virtualization: 'container', code: 'nginx' },
                  secrets: [{ secret, file: '/run/secrets/used', mode: '0400' }],
                },
              ],
            },
          ],
        },
      });
    const refused = await submit('unknown');
    expect(refused.statusCode).toBe(422);
    expect(refused.json().violations[0].path).toBe('applications[0].microservices[0].secrets[0].secret');
    expect((await submit('used')).statusCode).toBe(201);
    const removal = await call('DELETE', `/secrets/${id}`);
    expect(removal.json()).toMatchObject({ status: 409, code: 'sealed-object-used' });
    expect(removal.json().detail).toContain('user.test.web.test');
  });
});

it('shows clusters', async () => {
  const { items } = (await call('GET', '/clusters')).json();
  expect(items).toEqual([expect.objectContaining({ id: clusterId, lastSeenAt: '2026-11-22T07:57:43.360Z' })]);
  expect((await call('GET', '/clusters?active=false')).json().items).toEqual([]);
  expect((await call('GET', `/clusters/${clusterId}`)).json().name).toBe('c1');
});

describe('labels', () => {
  const worker = `/clusters/${clusterId}/workers/${WORKER_ID}`;
  const patch = (path: string, labels: object, token = adminToken) =>
    call('PATCH', path, { token, payload: { labels } });

  it('of a worker: what is set wins over its settings until it is taken back', async () => {
    const { items } = (await call('GET', `/clusters/${clusterId}/workers`)).json();
    expect(items).toEqual([
      expect.objectContaining({
        ...{ id: WORKER_ID, clusterId, name: 'gateway-7', state: 'up', setLabels: {} },
        labels: { zone: 'north', rack: '7' },
        capacity: expect.objectContaining({ vcpus: 4, memoryTotalMib: 8000 }),
      }),
    ]);
    const set = (await patch(worker, { zone: 'south', gpu: '' })).json();
    expect(set).toMatchObject({
      labels: { zone: 'south', rack: '7', gpu: '' },
      setLabels: { zone: 'south', gpu: '' },
    });
    expect(told.at(-1)).toMatchObject({
      workerId: WORKER_ID,
      override: { labels: { zone: 'south', gpu: '' } },
    });
    const back = (await patch(worker, { zone: null, gpu: null })).json();
    expect(back).toMatchObject({ labels: { zone: 'north', rack: '7' }, setLabels: {} });
    expect((await call('GET', '/audit?action=worker.label')).json().items[0]).toMatchObject({
      actor: { userName: 'Admin' },
      object: { kind: 'worker', id: WORKER_ID, name: 'gateway-7' },
      details: { changes: ['zone', 'gpu'] },
    });
  });

  it('are refused with every rule that they break, and from who may not', async () => {
    const answer = await patch(worker, { '-a': 'x', b: 'ü' });
    expect(answer.json()).toMatchObject({
      ...{ status: 422, code: 'labels-invalid' },
      violations: [{ path: 'labels.-a' }, { path: 'labels.b' }],
    });
    expect((await patch(worker, { a: 'b' }, bobToken)).statusCode).toBe(403);
    expect((await patch(`/clusters/${clusterId}/workers/nobody`, { a: 'b' })).json().code).toBe(
      'worker-not-found',
    );
    expect((await patch('/clusters/nobody', { a: 'b' })).json().code).toBe('cluster-not-found');
    expect((await call('GET', worker)).json().setLabels).toEqual({});
  });
});

describe('clusters that operators care for', () => {
  const path = `/clusters/${clusterId}`;
  const availability = async () => (await call('GET', path)).json().availability;

  it('are cordoned, drained and opened again, and the audit tells of it', async () => {
    expect((await call('POST', `${path}/cordon`)).json().availability).toBe('cordoned');
    expect((await call('POST', `${path}/drain`)).json()).toMatchObject({
      availability: 'draining',
      instanceCount: 3,
    });
    expect((await call('DELETE', `${path}/drain`)).statusCode).toBe(204);
    expect(await availability()).toBe('open');
    const { items } = (await call('GET', `/audit?objectKind=cluster&objectId=${clusterId}`)).json();
    expect(items.map(({ action }: { action: string }) => action)).toEqual([
      ...['cluster.undrain', 'cluster.drain', 'cluster.cordon'],
    ]);
  });

  it('that were removed are not there until they are admitted', async () => {
    expect((await call('DELETE', `${path}?force=true`)).statusCode).toBe(204);
    expect((await call('GET', path)).statusCode).toBe(404);
    expect((await call('GET', '/clusters')).json().items).toEqual([]);
    expect((await call('GET', '/clusters?removed=true')).json().items).toMatchObject([{ id: clusterId }]);
    expect((await call('POST', `${path}/drain`)).statusCode).toBe(404);
    expect((await call('POST', `${path}/admission`)).json().availability).toBe('open');
    expect(await availability()).toBe('open');
  });
});
