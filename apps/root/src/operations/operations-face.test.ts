import { OakestraError } from '@oakestra/contracts';
import { createLogger } from '@oakestra/daemon';
import type { FastifyInstance } from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ClusterView } from '../clusters/index.ts';
import type { InstanceView, ServiceView } from '../deployments/index.ts';
import { createHttpApp } from '../http/index.ts';
import { createMetrics, operationsFace } from './index.ts';

const instance = (status: string) => ({ status }) as InstanceView;
const services = [
  { instances: [instance('RUNNING'), instance('RUNNING'), instance('FAILED')] },
  { instances: [] },
] as unknown as ServiceView[];
const clusters = [{ isActive: true }, { isActive: true }, { isActive: false }] as ClusterView[];
const statistics = { batches: 7, groups: 5, syncs: 3 };

let storeFails: boolean;
let app: FastifyInstance;
beforeEach(() => {
  storeFails = false;
  const metrics = createMetrics({
    deployments: { services: () => services },
    clusters: { all: () => clusters },
    leads: () => true,
    store: { statistics },
    version: '1.2.3',
  });
  app = createHttpApp({
    faces: [
      operationsFace({
        metrics,
        identity: {
          async authenticate(token) {
            if (token !== 'good') throw new OakestraError('unauthenticated', 'token-bad', 'No.');
            const rights = { isMember: true, isInRootOrganisation: true, scopes: undefined };
            return { userId: 'u', userName: 'u', organisationId: 'o', roles: [], ...rights };
          },
        },
        checks: [
          { name: 'events', check: async () => {} },
          {
            name: 'store',
            async check() {
              if (storeFails) throw new Error('disk full at /secret/path');
            },
          },
        ],
      }),
    ],
    logger: createLogger({ output: { write: () => undefined } }),
    cors: [],
    onAnswered: metrics.answered,
  });
});

const metricsText = async () => (await app.inject({ url: '/metrics' })).body;

describe('metrics', () => {
  it('count what the root looks after', async () => {
    const lines = (await metricsText()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'oakestra_root_info{version="1.2.3"} 1',
        'oakestra_root_instances{status="RUNNING"} 2',
        'oakestra_root_instances{status="FAILED"} 1',
        'oakestra_root_leader 1',
        'oakestra_root_services 2',
        'oakestra_root_clusters{state="active"} 2',
        'oakestra_root_clusters{state="silent"} 1',
        'oakestra_root_store_syncs_total 3',
      ]),
    );
    expect(await metricsText()).toMatch(/oakestra_root_resident_memory_bytes [1-9]/);
  });

  it('show the counts of others as they are, however often one looks', async () => {
    await metricsText();
    expect(await metricsText()).toContain('oakestra_root_store_batches_total 7');
  });

  it('time requests by route, never by address', async () => {
    await app.inject({ url: '/healthz?anything' });
    await app.inject({ url: '/nowhere/6b02a0761c5b34961e7f558b' });
    const text = await metricsText();
    expect(text).toContain(
      'oakestra_root_http_request_seconds_count{route="/healthz",method="GET",status="200"} 1',
    );
    expect(text).not.toContain('6b02a0761c5b34961e7f558b');
  });

  it('are for this machine, and elsewhere for those with a token', async () => {
    const from = (remoteAddress: string, token?: string) =>
      app.inject({
        ...{ url: '/metrics', remoteAddress },
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
    expect((await from('::ffff:127.0.0.1')).statusCode).toBe(200);
    expect((await from('192.0.2.1')).statusCode).toBe(401);
    expect((await from('192.0.2.1', 'bad')).statusCode).toBe(401);
    expect((await from('192.0.2.1', 'good')).statusCode).toBe(200);
  });
});

describe('health', () => {
  it('is that the process answers', async () => {
    storeFails = true;
    expect((await app.inject({ url: '/healthz' })).statusCode).toBe(200);
  });

  it('is readiness only when everything that is needed works, and tells no secrets', async () => {
    expect((await app.inject({ url: '/readyz' })).json()).toEqual({
      status: 'ok',
      checks: { events: 'ok', store: 'ok' },
    });
    storeFails = true;
    const answer = await app.inject({ url: '/readyz' });
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toEqual({ status: 'failed', checks: { events: 'ok', store: 'failed' } });
  });
});
