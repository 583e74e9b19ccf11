import { OakestraError } from '@oakestra/contracts';
import { createManualClock } from '@oakestra/daemon';
import { recordingLogger } from '@oakestra/store/testing';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import { abstractorRoutes, createAbstractorFace } from './abstractor-face.ts';
import type { AbstractorPorts } from './ports.ts';
import { createMemoryPorts } from './testing/memory-ports.ts';

const UNKNOWN = 'f'.repeat(24);
const START_MS = 1_795_334_263_360;
const logger = recordingLogger();
let clock: ReturnType<typeof createManualClock>;
let ports: AbstractorPorts;
let app: FastifyInstance;

beforeEach(() => {
  clock = createManualClock(START_MS);
  ports = createMemoryPorts(clock.nowMs);
  app = createAbstractorFace({
    ...{ ...ports, logger, cors: ['http://addons.example:11103'] },
    authorize: async () => {},
  });
});

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
const call = (method: Method, url: string, body?: unknown, options: InjectOptions = {}) =>
  app.inject({
    ...{ method, url: `/api/v1${url}`, ...options },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
const json = async (method: Method, url: string, body?: unknown) => (await call(method, url, body)).json();

describe('every answer', () => {
  it('needs a permission, except those about the service itself', async () => {
    const closed = createAbstractorFace({ ...ports, logger });
    const answers = await Promise.all(
      abstractorRoutes(ports).map(async ({ method, path, access }) => {
        const url = path.replace(':id', UNKNOWN).replace(':number', '0').replace(/:\w+/g, 'x');
        const { statusCode } = await closed.inject({ method, url });
        return `${access} ${statusCode}`;
      }),
    );
    expect(new Set(answers)).toEqual(new Set(['public 200', 'authorized 403']));
    expect((await closed.inject({ method: 'GET', url: '/' })).body).toBe('ok');
  });

  it('that is refused says why, as the permission does', async () => {
    const closed = createAbstractorFace({
      ...{ ...ports, logger },
      authorize: async () => {
        throw new OakestraError('unauthenticated', 'token-missing', 'Missing Authorization Header');
      },
    });
    const reply = await closed.inject({ method: 'GET', url: '/api/v1/jobs' });
    expect([reply.statusCode, reply.json().message]).toEqual([401, 'Missing Authorization Header']);
    expect(reply.headers['www-authenticate']).toBe('Bearer');
  });

  it('lets only known pages read it, and answers their preflights', async () => {
    const from = (origin: string, method: 'GET' | 'OPTIONS' = 'GET') =>
      app.inject({ method, url: '/api/v1/jobs', headers: { origin } });
    expect((await from('http://addons.example:11103')).headers['access-control-allow-origin']).toBe(
      'http://addons.example:11103',
    );
    expect((await from('http://evil.example')).headers).not.toHaveProperty('access-control-allow-origin');
    expect((await from('http://addons.example:11103', 'OPTIONS')).statusCode).toBe(200);
  });

  it('is the same with a trailing slash and a bare question mark', async () => {
    for (const url of ['/resources', '/resources/', '/resources?', '/resources/?constraints,_id']) {
      expect((await call('GET', url)).statusCode, url).toBe(200);
    }
  });

  it.each([
    ['GET', '/nothing', undefined, 404],
    ['GET', '/%zz', undefined, 400],
    ['PATCH', '/jobs', {}, 405],
    ['POST', '/jobs', undefined, 400],
    ['POST', '/jobs', [], 422],
    ['GET', '/hooks', undefined, 501],
    ['POST', '/custom-resources/some/', {}, 501],
  ] as const)('%s %s is an object with a message', async (method, url, body, status) => {
    const reply = await call(method, url, body);
    expect(reply.statusCode).toBe(status);
    expect(reply.json()).toMatchObject({
      code: status,
      status: expect.any(String),
      message: expect.any(String),
    });
  });

  it('is described', async () => {
    const { paths, openapi } = (await app.inject({ method: 'GET', url: '/docs/openapi.json' })).json();
    expect(openapi).toBe('3.0.2');
    for (const { method, path } of abstractorRoutes(ports).filter(({ access }) => access !== 'public')) {
      expect(paths[path.replace(/:(\w+)/g, '{$1}')]).toHaveProperty(method.toLowerCase());
    }
  });
});

describe('resources', () => {
  const cluster = { candidate_name: 'c1', ip: '192.0.2.7', port: '10100', candidate_location: 'x' };

  it('are added, and merged by name', async () => {
    const first = await call('POST', '/resources', { ...cluster, own: 1 });
    expect([first.statusCode, first.headers['content-type']]).toEqual([201, 'application/json']);
    const id = first.json()._id;
    // Only typed fields are in the answer; the list is raw.
    expect(first.json()).toEqual({ ...cluster, _id: id });
    const merged = await call('PUT', '/resources', { candidate_name: 'c1', memory: '8' });
    expect([merged.statusCode, merged.json()]).toEqual([200, { ...cluster, _id: id, memory: 8 }]);
    const other = await json('PUT', '/resources', { candidate_name: 'c2' });
    expect(other._id).not.toBe(id);
    expect(await json('POST', '/resources', cluster)).toHaveProperty('_id', expect.not.stringMatching(id));
    expect(
      (await json('GET', '/resources')).map((found: { candidate_name: string }) => found.candidate_name),
    ).toEqual(['c1', 'c2', 'c1']);
  });

  it.each([
    [{ port: 10_100 }, 'port'],
    [{ candidate_name: null }, 'candidate_name'],
    [{ memory: null }, 'memory'],
    [{ vcpus: true }, 'vcpus'],
    [{ vcpus: '8.5' }, 'vcpus'],
    [{ cpu_percent: 'much' }, 'cpu_percent'],
    [{ cpu_percent: '' }, 'cpu_percent'],
    [{ active: 'maybe' }, 'active'],
    [{ aggregation_per_architecture: [] }, 'aggregation_per_architecture'],
    [{ virtualization: ['docker', 1] }, 'virtualization'],
    [{ csi_drivers: 'x' }, 'csi_drivers'],
  ])('refuse %j', async (fields, path) => {
    const reply = await call('PUT', '/resources', { candidate_name: 'c', ...fields });
    expect(reply.statusCode).toBe(422);
    expect(Object.keys(reply.json().errors.json)).toEqual([path]);
  });

  it('take what the original takes', async () => {
    const fields = {
      ...{ active_nodes: 2.9, memory: '16000', gpu_percent: -1.5, cpu_percent: '12.5', active: 'on' },
      ...{ virtualization: null, supported_addons: ['a'], csi_drivers: [{ name: 'x' }, 'y'], own: null },
    };
    expect(await json('PUT', '/resources', { ...cluster, ...fields })).toMatchObject({
      ...{ active_nodes: 2, memory: 16_000, gpu_percent: -1, cpu_percent: 12.5, active: true },
      ...{ virtualization: null, supported_addons: ['a'], csi_drivers: [{ name: 'x' }, 'y'] },
    });
    const [listed] = await json('GET', '/resources?resources=own');
    expect(listed.own).toBeNull();
  });

  it('keep a report: stamped, with one entry more in each history, a hundred at most', async () => {
    const { _id: id } = await json('PUT', '/resources', cluster);
    const report = { cpu_percent: 12.5, cpu_history: ['forged'], vcpus: 8 };
    const answer = await json('PATCH', `/resources/${id}`, report);
    expect(answer).toEqual({
      ...cluster,
      _id: id,
      cpu_percent: 12.5,
      vcpus: 8,
      last_modified_timestamp: START_MS / 1000,
    });
    const [listed] = await json('GET', '/resources');
    expect(listed.cpu_history).toEqual([{ value: 12.5, timestamp: START_MS / 1000 }]);
    expect(listed.memory_history).toEqual([{ value: null, timestamp: START_MS / 1000 }]);
    for (let count = 0; count < 120; count += 1)
      await call('PATCH', `/resources/${id}`, { cpu_percent: count });
    const [later] = await json('GET', '/resources');
    expect([later.cpu_history.length, later.cpu_history.at(-1).value]).toEqual([100, 119]);
  });

  it('are listed with the canonical fields, and those that are asked for', async () => {
    const { _id: id } = await json('PUT', '/resources', { ...cluster, architecture: 'arm64', own: 1 });
    await call('PATCH', `/resources/${id}`, {});
    const [plain] = await json('GET', '/resources');
    expect(Object.keys(plain).sort()).toEqual(
      ['_id', 'candidate_location', 'candidate_name', 'cpu_history', 'ip', 'memory_history', 'port'].sort(),
    );
    const [more] = await json('GET', '/resources?resources=own,active,architecture');
    expect(more).toMatchObject({ own: 1, active: true, architecture: 'arm64' });
  });

  it('can be filtered by what they are and whether they are heard of', async () => {
    const { _id: id } = await json('PUT', '/resources', cluster);
    await json('PUT', '/resources', { candidate_name: 'c2', ip: '192.0.2.8' });
    await call('PATCH', `/resources/${id}`, {});
    const names = async (query: string) =>
      (await json('GET', `/resources?${query}`)).map(
        (found: { candidate_name: string }) => found.candidate_name,
      );
    expect(await names('active=true')).toEqual(['c1']);
    expect(await names('active=false')).toEqual(['c1', 'c2']);
    expect(await names('candidate_name=c2')).toEqual(['c2']);
    expect(await names('ip=192.0.2.7&unknown=1')).toEqual(['c1']);
    await clock.advance(30_000);
    expect(await names('active=true')).toEqual([]);
  });

  it('refuse queries that make no sense', async () => {
    const flag = await call('GET', '/resources?active=maybe');
    expect([flag.statusCode, flag.json()]).toMatchObject([
      422,
      { details: { active: ['must be true or false'] } },
    ]);
    expect((await call('GET', '/resources?job_id=x')).statusCode).toBe(400);
    expect((await call('GET', `/resources?job_id=${UNKNOWN}`)).statusCode).toBe(404);
    const { _id: job } = await json('POST', '/jobs', { job_name: 'a.b.c.d' });
    expect((await call('GET', `/resources?job_id=${job}`)).statusCode).toBe(200);
  });

  it('answer unknown and malformed ids as the original does', async () => {
    const statuses = await Promise.all([
      call('GET', '/resources/x'),
      call('GET', `/resources/${UNKNOWN}`),
      call('PATCH', '/resources/x', {}),
      call('PATCH', `/resources/${UNKNOWN}`, {}),
      call('DELETE', '/resources/x'),
      call('DELETE', `/resources/${UNKNOWN}`),
    ]);
    expect(statuses.map(({ statusCode }) => statusCode)).toEqual([400, 404, 404, 200, 400, 204]);
    expect(statuses[3]?.json()).toEqual({});
    const { _id: id } = await json('PUT', '/resources', cluster);
    expect((await call('DELETE', `/resources/${id}`)).body).toBe('');
    expect((await call('GET', `/resources/${id}`)).statusCode).toBe(404);
  });
});

describe('applications', () => {
  it('live through the documented calls, as text', async () => {
    const fields = { application_name: 'shop', application_namespace: 'test', userId: 'Admin' };
    const added = await call('POST', '/applications', fields);
    expect([added.statusCode, added.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const { _id: id } = added.json();
    expect(added.json()).toEqual({ ...fields, _id: id, applicationID: id });
    expect(await json('PATCH', `/applications/${id}`, { application_desc: 'ü' })).toHaveProperty(
      'application_desc',
      'ü',
    );
    expect(await json('GET', `/applications/${id}`)).toHaveProperty('application_name', 'shop');
    expect(await json('GET', `/applications/${id}?userId=bob`)).toBeNull();
    expect(await json('GET', '/applications?userId=Admin&other=1')).toHaveLength(1);
    expect(await json('GET', '/applications?application_name=x')).toEqual([]);
    expect(await json('DELETE', `/applications/${id}`)).toHaveProperty('_id', id);
    for (const method of ['GET', 'DELETE'] as const)
      expect(await json(method, `/applications/${id}`)).toBeNull();
    expect(await json('PATCH', `/applications/${id}`, {})).toBeNull();
    expect((await call('GET', '/applications/x')).statusCode).toBe(400);
  });
});

describe('jobs', () => {
  const instance = { instance_number: 0, cluster_id: 'c', status: 'CLUSTER_SCHEDULED' };
  const add = async () =>
    (await json('PUT', '/jobs', { job_name: 'a.b.c.d', applicationID: UNKNOWN }))._id as string;

  it('are merged by name; a given id counts only for a new one', async () => {
    const given = 'a'.repeat(24);
    expect(await json('PUT', '/jobs', { _id: given, job_name: 'a.b.c.d' })).toEqual({
      _id: given,
      job_name: 'a.b.c.d',
    });
    const again = await json('PUT', '/jobs', { _id: UNKNOWN, job_name: 'a.b.c.d', memory: 5 });
    expect(again).toEqual({ _id: given, job_name: 'a.b.c.d', memory: 5 });
    // POST inserts always.
    expect((await json('POST', '/jobs', { job_name: 'a.b.c.d' }))._id).not.toBe(given);
    expect((await call('PUT', '/jobs', {})).statusCode).toBe(400);
  });

  it('are found, changed and removed', async () => {
    const id = await add();
    expect(await json('GET', `/jobs?applicationID=${UNKNOWN}&job_name=a.b.c.d&params=x`)).toHaveLength(1);
    expect(await json('GET', '/jobs?job_name=x')).toEqual([]);
    expect(await json('GET', `/jobs/${id}?instance_number=7`)).toHaveProperty('_id', id);
    expect(await json('PATCH', `/jobs/${id}`, { status: 'RUNNING' })).toHaveProperty('status', 'RUNNING');
    expect(await json('DELETE', `/jobs/${id}`)).toHaveProperty('status', 'RUNNING');
    expect(await json('DELETE', `/jobs/${id}`)).toBeNull();
    expect(await json('PATCH', `/jobs/${id}`, {})).toBeNull();
    expect((await call('GET', `/jobs/${id}`)).statusCode).toBe(404);
    expect((await call('GET', '/jobs/x')).statusCode).toBe(400);
  });

  it('get instances one by one, each number once', async () => {
    const id = await add();
    const list = (...entries: object[]) => ({ instance_list: entries });
    expect((await json('PUT', `/jobs/${id}/0`, list({ x: 1 }, instance))).instance_list).toEqual([instance]);
    expect((await json('PUT', `/jobs/${id}/3`, list({ cluster_id: 'd' }))).instance_list).toHaveLength(2);
    expect((await json('GET', `/jobs/${id}/3`)).instance_list).toEqual([
      { instance_number: 3, cluster_id: 'd' },
    ]);
    for (const [url, body] of [
      [`/jobs/${id}/0`, list(instance)],
      [`/jobs/${id}/1`, list()],
      [`/jobs/${id}/1`, list({ instance_number: 2 })],
      [`/jobs/${id}/x`, list(instance)],
    ] as const) {
      expect((await call('PUT', url, body)).statusCode, url).toBe(400);
    }
    expect((await call('PUT', `/jobs/${UNKNOWN}/0`, list(instance))).statusCode).toBe(404);
    expect((await call('GET', `/jobs/${id}/9`)).statusCode).toBe(404);
  });

  it('keep reports of instances, and answer what was before', async () => {
    const id = await add();
    await call('PUT', `/jobs/${id}/0`, { instance_list: [instance] });
    const report = {
      status: 'RUNNING',
      publicip: '192.0.2.1',
      host_port: '50103',
      cpu_percent: '0.5',
      own: 1,
    };
    expect((await json('PATCH', `/jobs/${id}/0`, report)).instance_list).toEqual([instance]);
    const [kept] = (await json('GET', `/jobs/${id}`)).instance_list;
    expect(kept).toEqual({
      ...{ ...instance, status: 'RUNNING', status_detail: 'No extra information', publicip: '192.0.2.1' },
      ...{ host_port: 50_103, host_ip: null, worker_id: null, cpu_percent: '0.5', memory_percent: null },
      ...{ disk: null, logs: '', last_modified_timestamp: null },
      cpu_history: [{ value: '0.5', timestamp: '2026-11-22T07:57:43.360000' }],
      memory_history: [{ value: null, timestamp: '2026-11-22T07:57:43.360000' }],
    });
    await call('PATCH', `/jobs/${id}/0`, {});
    // What a client cannot do without stays.
    expect((await json('GET', `/jobs/${id}/0`)).instance_list[0]).toMatchObject({
      status: 'RUNNING',
      publicip: null,
    });
    expect((await call('PATCH', `/jobs/${id}/1`, {})).statusCode).toBe(404);
    expect((await call('PATCH', `/jobs/${UNKNOWN}/0`, {})).statusCode).toBe(404);
  });

  it('lose instances, also those that are gone', async () => {
    const id = await add();
    await call('PUT', `/jobs/${id}/0`, { instance_list: [instance] });
    for (const _ of [1, 2]) expect((await json('DELETE', `/jobs/${id}/0`)).instance_list).toEqual([]);
    expect((await call('DELETE', `/jobs/${UNKNOWN}/0`)).statusCode).toBe(404);
  });
});
