import { join } from 'node:path';
import { createManualClock, systemRandom } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import { openTestStore, recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AddressesSchema, addressesMigrations, openAddresses } from '../addresses/index.ts';
import { type ApplicationsSchema, applicationsMigrations, openApplications } from '../applications/index.ts';
import { createFakeClusters, createFakeDeployments } from '../testing/index.ts';
import { createAbstractorFace, createCorePorts } from './index.ts';

const clusterId = '6b02a0761c5b34961e7f558b';
const cluster = {
  ...{ id: clusterId, name: 'c1', location: '48.1,11.6,1000', address: '192.0.2.7', port: 10_100 },
  ...{ isActive: true, activeWorkers: 2, vcpus: 8, memoryMib: 16_000, cpuPercent: 12.5, memoryPercent: 30 },
  ...{ virtualization: ['docker'], labels: {}, setLabels: {}, lastSeenAtMs: 1_795_334_263_360 },
  ...{ availability: 'open' as const, instanceCount: 3 },
};
const admin = { id: 'a'.repeat(24), name: 'Admin', email: '', createdAtMs: 0 };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store<ApplicationsSchema & AddressesSchema>;
let app: FastifyInstance;

beforeEach(async () => {
  folder = await temporaryFolder();
  const migrations = { ...applicationsMigrations, ...addressesMigrations };
  store = await openTestStore(join(folder.path, 'root.db'), migrations);
  const deployments = createFakeDeployments(clusterId);
  const identity = { users: async () => [admin] };
  const shared = { clock: createManualClock(), random: systemRandom(), logger: recordingLogger() };
  const addresses = await openAddresses({ store, ...shared });
  const applications = await openApplications({ store, addresses, deployments, identity, ...shared });
  const clusters = createFakeClusters([
    cluster,
    { ...cluster, id: 'f'.repeat(24), name: 'c2', isActive: false },
  ]);
  const ports = createCorePorts({ clusters, applications, deployments, identity });
  app = createAbstractorFace({ ...ports, logger: recordingLogger(), authorize: async () => {} });
});

afterEach(async () => {
  await store.close();
  await folder.remove();
});

const call = async (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, body?: object) => {
  const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
  const reply = await app.inject({ method, url: `/api/v1${url}`, ...payload });
  return { status: reply.statusCode, body: reply.body === '' ? undefined : reply.json() };
};
const application = { application_name: 'shop', application_namespace: 'test', userId: 'Admin', own: 1 };
const job = {
  ...{ microservice_name: 'web', microservice_namespace: 'test', virtualization: 'container', code: 'nginx' },
  ...{ job_name: 'shop.test.web.test', microserviceID: '', service_name: 'web', instance_list: [], own: 2 },
};
const addJob = async () => {
  const { body } = await call('POST', '/applications', application);
  const added = await call('PUT', '/jobs', { ...job, applicationID: body._id });
  return { applicationId: body._id as string, id: added.body._id as string, added };
};

describe('over the core, the abstractor', () => {
  it('shows clusters as candidates', async () => {
    const { body } = await call('GET', '/resources?active=true&resources=active');
    expect(body).toHaveLength(1);
    expect(body[0]).toMatchObject({
      _id: clusterId,
      candidate_name: 'c1',
      port: '10100',
      vcpus: 8,
      active: true,
    });
    expect(body[0]).not.toHaveProperty('cluster_name');
    expect((await call('GET', `/resources/${clusterId}`)).body).toMatchObject({
      _id: clusterId,
      memory: 16_000,
    });
  });

  it('leaves it to clusters to write about themselves', async () => {
    for (const [method, url] of [
      ['POST', '/resources'],
      ['PUT', '/resources'],
      ['PATCH', `/resources/${clusterId}`],
      ['DELETE', `/resources/${clusterId}`],
    ] as const) {
      const { status, body } = await call(method, url, { candidate_name: 'c3' });
      expect([status, body.message]).toEqual([501, expect.stringContaining('their own links')]);
    }
    expect((await call('DELETE', `/resources/${'e'.repeat(24)}`)).status).toBe(204);
  });

  it('adds, shows and removes applications', async () => {
    const { body } = await call('POST', '/applications', application);
    expect(body).toMatchObject({ ...application, _id: body.applicationID, microservices: [] });
    expect((await call('GET', '/applications?userId=Admin')).body).toEqual([body]);
    expect((await call('POST', '/applications', application)).status).toBe(409);
    expect((await call('POST', '/applications', { ...application, userId: 'x' })).status).toBe(422);
    expect((await call('PATCH', `/applications/${body._id}`, {})).status).toBe(501);
    expect((await call('DELETE', `/applications/${body._id}`)).body).toEqual(body);
    expect((await call('GET', `/applications/${body._id}`)).body).toBeNull();
  });

  it('registers jobs in their application', async () => {
    const { applicationId, id, added } = await addJob();
    expect(added).toMatchObject({
      status: 200,
      body: { _id: id, microserviceID: id, job_name: job.job_name, virtualization: 'docker', own: 2 },
    });
    expect((await call('GET', `/applications/${applicationId}`)).body.microservices).toEqual([id]);
    expect((await call('GET', `/jobs?applicationID=${applicationId}`)).body).toHaveLength(1);
    expect((await call('PUT', '/jobs', { ...job, applicationID: applicationId })).status).toBe(501);
    expect((await call('POST', '/jobs', { ...job, applicationID: 'x' })).status).toBe(422);
    expect((await call('PATCH', `/jobs/${id}`, {})).status).toBe(501);
    expect((await call('DELETE', `/jobs/${id}`)).body._id).toBe(id);
    expect((await call('GET', `/jobs/${id}`)).status).toBe(404);
  });

  it('asks for instances and removes them, but neither places nor reports them', async () => {
    const { id } = await addJob();
    const list = (instance: object) => ({ instance_list: [instance] });
    expect((await call('PUT', `/jobs/${id}/0`, list({ cluster_id: clusterId }))).status).toBe(501);
    expect((await call('PUT', `/jobs/${id}/5`, list({ status: 'x' }))).status).toBe(409);
    const { body } = await call('PUT', `/jobs/${id}/0`, list({ status: 'x' }));
    expect(body.instance_list).toMatchObject([{ instance_number: 0, cluster_location: '48.1,11.6,1000' }]);
    expect((await call('GET', `/jobs/${id}/0`)).status).toBe(200);
    expect((await call('PATCH', `/jobs/${id}/0`, {})).status).toBe(501);
    for (const _ of [1, 2]) {
      const removed = await call('DELETE', `/jobs/${id}/0`);
      expect([removed.status, removed.body.instance_list]).toEqual([200, []]);
    }
  });
});
