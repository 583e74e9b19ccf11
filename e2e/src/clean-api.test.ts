import { get } from 'node:https';
import { join } from 'node:path';
import type { EventResource, InstanceResource, ServiceResource } from '@oakestra/contracts/api';
import { buildStaticWebImage, eventually } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Installation, openInstallation } from './installation/index.ts';
import { runOakestra } from './program.ts';

describe('the clean API', () => {
  let at: Installation;
  let image: string;

  beforeAll(async () => {
    at = await openInstallation();
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
  });
  afterAll(() => at?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.startAll();
    await at.removeEverything();
  });

  const v2 = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const token = await at.api.login();
    const answer = await at.api.request(method, `/api/v2${path}`, {
      token,
      ...(body === undefined ? {} : { body }),
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  };
  const untilRunning = (serviceId: string, count: number) =>
    eventually(
      async () => {
        const service = await v2<ServiceResource>('GET', `/services/${serviceId}`);
        if (service.runningReplicas !== count || service.replicas !== count)
          throw new Error(JSON.stringify(service));
        return service;
      },
      { timeoutMs: 30_000, describe: `${count} instances to run` },
    );

  it('runs as many instances as one asks for, and tells what happens to each', async () => {
    const { serviceId } = await at.run({ name: 'web', image });
    await v2('PUT', `/services/${serviceId}/replicas`, { replicas: 3 });
    const three = await untilRunning(serviceId, 3);
    const workers = three.instances.map(({ workerId, clusterName }: InstanceResource) => [
      workerId,
      clusterName,
    ]);
    expect(workers.every(([worker, cluster]) => worker !== null && cluster !== null)).toBe(true);
    await v2('PUT', `/services/${serviceId}/replicas`, { replicas: 1 });
    const [left] = (await untilRunning(serviceId, 1)).instances;
    expect(left?.number).toBe(0);

    const history = await v2<{ items: EventResource[] }>('GET', `/services/${serviceId}/instances/0/history`);
    const states = history.items
      .filter(({ kind }) => kind === 'instance-changed')
      .map(({ status }) => status);
    expect(states[0]).toBe('RUNNING');
    expect(states).toContain('CLUSTER_SCHEDULED');
  });

  it('changes a service without a gap, and goes back when the new one does not run', async () => {
    const deployed = await at.run({ name: 'web', image });
    const path = `/services/${deployed.serviceId}`;
    await v2('PUT', `${path}/replicas`, { replicas: 2 });
    await untilRunning(deployed.serviceId, 2);
    const named = { microservice_name: 'web', microservice_namespace: 'test', virtualization: 'container' };
    const change = (fields: object) =>
      v2('PUT', path, { microservice: { ...named, ...fields }, settleSeconds: 0.5, giveUpSeconds: 8 });
    /** Until the change is over; the fewest containers that were seen to run. */
    const watched = async () => {
      let fewest = Number.POSITIVE_INFINITY;
      const service = await eventually(
        async () => {
          fewest = Math.min(fewest, (await at.worker.runningTasks()).length);
          const found = await v2<ServiceResource>('GET', path);
          if (found.rollout !== null) throw new Error(JSON.stringify(found));
          return found;
        },
        { timeoutMs: 60_000, intervalMs: 50, describe: 'the end of the change' },
      );
      return { fewest, service };
    };

    await change({ code: image, environment: ['COLOUR=blue'] });
    const forward = await watched();
    expect(forward.service).toMatchObject({
      revision: 2,
      lastRollout: { outcome: 'completed', revision: 2 },
      runningReplicas: 2,
    });
    expect(forward.service.instances.map(({ revision }) => revision)).toEqual([2, 2]);
    expect(forward.fewest).toBe(2);

    await change({ code: image.replace('/web', '/missing') });
    const back = await watched();
    expect(back.service).toMatchObject({
      revision: 2,
      lastRollout: { outcome: 'rolled-back', revision: 3 },
      runningReplicas: 2,
    });
    expect(back.service.instances).toEqual(
      forward.service.instances.map((instance) => ({
        ...instance,
        ...{ cpuPercent: expect.anything(), memoryBytes: expect.anything(), diskBytes: expect.anything() },
      })),
    );
    expect(back.fewest).toBe(2);
  });

  it('tells events live, and goes on where it was after a restart of the root', async () => {
    const token = await at.api.login();
    const seen: EventResource[] = [];
    const follow = (after?: string) =>
      new Promise<{ readonly ended: Promise<void> }>((resolve, reject) => {
        const request = get(
          {
            host: at.root.host.address,
            port: 10_000,
            path: '/api/v2/events',
            ca: at.authority.caPem,
            agent: false,
            headers: {
              authorization: `Bearer ${token}`,
              ...(after === undefined ? {} : { 'last-event-id': after }),
            },
          },
          (response) => {
            let text = '';
            response.setEncoding('utf8').on('data', (chunk: string) => {
              text += chunk;
              const lines = text.split('\n');
              text = lines.pop() ?? '';
              for (const line of lines) if (line.startsWith('data: {"')) seen.push(JSON.parse(line.slice(6)));
            });
            resolve({ ended: new Promise((done) => response.once('close', () => done())) });
          },
        );
        request.once('error', reject);
      });
    const first = await follow();
    const { serviceId } = await at.run({ name: 'web', image });
    await eventually(async () => expect(seen.map(({ status }) => status)).toContain('RUNNING'), {
      timeoutMs: 10_000,
      describe: 'the event of the running instance',
    });
    expect(seen[0]).toMatchObject({ kind: 'service-created', serviceId });
    await at.root.stop();
    await first.ended;
    await at.root.start();
    await at.untilConnected();
    const last = seen.at(-1)?.id;
    await v2('PUT', `/services/${serviceId}/replicas`, { replicas: 2 });
    await untilRunning(serviceId, 2);
    await follow(last);
    await eventually(
      async () => expect(seen.at(-1)).toMatchObject({ status: 'RUNNING', instanceNumber: 1 }),
      {
        timeoutMs: 10_000,
        describe: 'what was missed',
      },
    );
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
  });

  it('has a backup of the running root put back without stopping anything', async () => {
    const kept = await at.run({ name: 'kept', image });
    const backup = join(at.testbed.directory, 'clean-api-backup.db');
    const flags = ['--state-directory', at.root.stateDirectory];
    await runOakestra(['root', 'backup', backup, ...flags]);
    const fresh = await at.run({ name: 'fresh', image });
    const before = await Promise.all(
      [kept, fresh].map(({ instanceId }) => at.worker.runningTask(instanceId)),
    );
    await at.root.stop();
    const { stdout } = await runOakestra(['root', 'restore', backup, ...flags]);
    expect(stdout).toMatch(/^Restored\./);
    await at.root.start();
    await at.untilConnected();
    await at.untilExactlyOne(kept);
    await at.untilExactlyOne(fresh);
    expect(
      await Promise.all([kept, fresh].map(({ instanceId }) => at.worker.runningTask(instanceId))),
    ).toEqual(before);
  });
});
