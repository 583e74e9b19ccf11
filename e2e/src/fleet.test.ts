import type {
  ClusterResource,
  InstanceResource,
  ServiceResource,
  WorkerResource,
} from '@oakestra/contracts/api';
import { buildStaticWebImage, eventually } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Installation, openInstallation } from './installation/index.ts';

describe('what operators say of clusters and workers', () => {
  let at: Installation;
  let image: string;

  beforeAll(async () => {
    at = await openInstallation({ flags: { worker1: ['--labels', 'zone=north'] } });
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
    const given = body === undefined ? {} : { body };
    const answer = await at.api.request(method, `/api/v2${path}`, { token, ...given });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  };
  const clusterPath = async (): Promise<string> => {
    const { items } = await v2<{ items: ClusterResource[] }>('GET', '/clusters');
    return `/clusters/${items[0]?.id}`;
  };
  const firstWorker = async (): Promise<WorkerResource | undefined> =>
    (await v2<{ items: WorkerResource[] }>('GET', `${await clusterPath()}/workers`)).items[0];
  const untilInstances = (serviceId: string, isRight: (instances: readonly InstanceResource[]) => boolean) =>
    eventually(
      async () => {
        const { instances } = await v2<ServiceResource>('GET', `/services/${serviceId}`);
        if (!isRight(instances)) throw new Error(JSON.stringify(instances));
        return instances;
      },
      { timeoutMs: 30_000, describe: 'the instances to be so' },
    );

  it('a global service follows the labels of a worker, also those that were set while its cluster was away', async () => {
    const worker = await eventually(
      async () => {
        const found = await firstWorker();
        if (found?.state !== 'up' || found.capacity === null) throw new Error(JSON.stringify(found));
        return found;
      },
      { timeoutMs: 20_000, describe: 'the worker to be listed' },
    );
    expect(worker).toMatchObject({ labels: { zone: 'north' }, setLabels: {} });
    const path = `${await clusterPath()}/workers/${worker.id}`;
    const service = { microservice_name: 'web', microservice_namespace: 'test', virtualization: 'container' };
    const selector = { worker: { zone: 'north', role: 'agent' } };
    const overrides = [{ worker: worker.name, environment: ['LEVEL=debug'] }];
    const submitted = await v2<{ applications: { id: string; serviceIds: string[] }[] }>(
      'POST',
      '/applications',
      {
        sla_version: 'v2.0',
        customerID: 'x',
        applications: [
          {
            application_name: 'everywhere',
            application_namespace: 'test',
            microservices: [{ ...service, code: image, mode: 'global', selector, overrides }],
          },
        ],
      },
    );
    const serviceId = submitted.applications[0]?.serviceIds[0] ?? '';
    expect(await at.worker.runningTasks()).toEqual([]);

    await at.cluster.kill();
    await v2('PATCH', path, { labels: { role: 'agent' } });
    await at.startAll();
    const [instance] = await untilInstances(serviceId, ([one]) => one?.status === 'RUNNING');
    expect(instance?.workerId).toBe(worker.id);
    expect(await at.worker.runningTasks()).toHaveLength(1);

    await v2('PATCH', path, { labels: { role: null } });
    await untilInstances(serviceId, (instances) => instances.length === 0);
    await eventually(
      async () => {
        if ((await at.worker.runningTasks()).length > 0) throw new Error('it still runs');
        return true;
      },
      { timeoutMs: 20_000, describe: 'the worker to have stopped it' },
    );
    await v2('DELETE', `/applications/${submitted.applications[0]?.id}`);
  });

  it('a drained cluster gets nothing new, and says why what it has stays', async () => {
    const { serviceId } = await at.run({ name: 'web', image });
    const path = await clusterPath();
    await v2('POST', `${path}/drain`);
    await at.root.kill();
    await at.startAll();
    await v2('POST', `/services/${serviceId}/instances`);
    const instances = await untilInstances(serviceId, ([first, second]) =>
      [first, second].every((one) => one?.placement?.rejections[0]?.code === 'draining'),
    );
    expect(instances.map(({ status }) => status)).toEqual(['RUNNING', expect.not.stringMatching('RUNNING')]);
    await v2('DELETE', `${path}/drain`);
    await untilInstances(
      serviceId,
      (all) => all.length === 2 && all.every(({ status }) => status === 'RUNNING'),
    );
  });
});
