import { dirname, join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import {
  buildFaultyImage,
  buildImage,
  buildStaticWebImage,
  eventually,
  openTestAuthority,
  type Registry,
  WEB_PORT,
} from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createTierProcess,
  type Deployed,
  httpFrom,
  type Installation,
  openInstallation,
  type RunningTask,
  slaOf,
} from './installation/index.ts';

describe('bad input', () => {
  let at: Installation;
  let image: string;
  let privateRegistry: Registry;
  /** Must never notice anything. */
  let healthy: Deployed;
  let healthyTask: RunningTask;

  beforeAll(async () => {
    at = await openInstallation({
      async registries({ testbed, network }) {
        const address = network.gatewayAddress;
        const credentials = { username: 'edge', password: new Sensitive('secret') };
        privateRegistry = await testbed.registry({ address, credentials });
        return { [privateRegistry.host]: { plainHttp: true } };
      },
    });
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
    healthy = await at.run({ name: 'healthy', image, fields: { port: `8080:${WEB_PORT}` } });
    healthyTask = await at.worker.runningTask(healthy.instanceId);
    await eventually(healthyAnswers, { timeoutMs: 20_000, describe: 'the healthy instance to answer' });
  });
  afterAll(() => at?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    expect(await healthyAnswers()).toBe(200);
    await at.removeEverything({ but: [healthy] });
    expect(await at.worker.runningTasks()).toEqual([healthyTask]);
    expect((await at.instance(healthy))?.status).toBe('RUNNING');
  });

  const healthyAnswers = async () =>
    (await httpFrom(at.client, `http://${at.worker.host.address}:8080/`)).status;
  /** Deploys what cannot run and answers what is said about it. */
  const detailOf = async (
    status: string,
    wish: { readonly image: string; readonly fields?: Readonly<Record<string, unknown>> },
  ): Promise<string> => {
    const deployed = await at.deploy({ name: 'bad', ...wish });
    return (await at.untilStatus(deployed, status)).status_detail;
  };

  it('in an SLA is refused as a whole, and every violation is named with its path', async () => {
    const token = await at.api.login();
    const good = slaOf({ name: 'good', image });
    const [application] = good.applications;
    const [service] = application?.microservices ?? [];
    const bad = {
      ...good,
      sla_version: 'v1',
      applications: [
        {
          ...application,
          application_name: 'not a name',
          microservices: [
            { ...service, memory: -1, port: '80:99999', environment: ['TOKEN'] },
            { ...service, code: undefined, vcpus: 'two' },
          ],
        },
      ],
    };
    const { status, body } = await at.api.request('POST', '/api/application', { body: bad, token });
    expect(status).toBe(422);
    const text = JSON.stringify(body);
    for (const path of [
      'sla_version',
      'applications[0].application_name',
      'applications[0].microservices[0].memory',
      'applications[0].microservices[0].port',
      'applications[0].microservices[0].environment[0]',
      'applications[0].microservices[1].code',
      'applications[0].microservices[1].vcpus',
      'applications[0].microservices[1].microservice_name',
    ]) {
      expect(text).toContain(path);
    }
    expect(text).toMatch(/99999/);
    expect((await at.api.applications()).map((one) => one.application_name)).toEqual(['healthy']);

    const broken = await at.api.request('POST', '/api/application', { body: '{"sla_version": ', token });
    expect(broken.status).toBe(400);
    const nameless = await at.api.request('POST', '/api/application', { body: good, token: 'no.such.token' });
    expect([401, 422]).toContain(nameless.status);
    const missing = await at.api.request('POST', '/api/service/0123456789abcdef01234567/instance', { token });
    expect(missing.status).toBe(404);
    expect(JSON.stringify(missing.body)).toContain('0123456789abcdef01234567');
  });

  it('as the name of an image that does not exist is told with the name', async () => {
    const detail = await detailOf('FAILED', { image: '127.0.0.1:5000/no/such-image:v9' });
    expect(detail).toContain('127.0.0.1:5000/no/such-image:v9 does not exist');
    expect(detail).toContain('Check name and tag');
  });

  it('as no name of an image at all is told, too', async () => {
    expect(await detailOf('FAILED', { image: '127.0.0.1:5000/Upper Case' })).toMatch(/Upper Case/);
  });

  it('as a registry that is down is told with its address, and overcome when it is back', async () => {
    const bad = await at.deploy({ name: 'bad', image: '127.0.0.1:5999/web' });
    const { status_detail: detail } = await at.untilStatus(bad, 'FAILED');
    expect(detail).toMatch(/127\.0\.0\.1:5999 cannot be reached.*connection refused/);

    const late = await at.registry.push(await buildFaultyImage('ignores-sigterm', at.imageCache), 'late');
    await at.registry.stop();
    const waiting = await at.deploy({ name: 'waiting', image: late, fields: { stop_grace_seconds: 0 } });
    await at.untilStatus(waiting, 'FAILED');
    await at.registry.start();
    await at.untilStatus(waiting, 'RUNNING');
  });

  it('as missing credentials is told with the registry and the remedy', async () => {
    await privateRegistry.push(await buildStaticWebImage(at.imageCache), 'private');
    const detail = await detailOf('FAILED', { image: `${privateRegistry.host}/private` });
    expect(detail).toMatch(/refuses.*No credentials were given/);
    expect(detail).toContain(privateRegistry.host);
  });

  it('as an image for other machines is told with the platforms that it has', async () => {
    const architecture = process.arch === 'arm64' ? 'amd64' : 'arm64';
    const tree = { file: { kind: 'file', content: 'foreign' } } as const;
    const layout = await buildImage(
      'foreign',
      [{ platform: { os: 'linux', architecture }, layers: [{ tree }], settings: { entrypoint: ['/file'] } }],
      at.imageCache,
    );
    const foreign = await at.registry.push(layout, 'foreign');
    expect(await detailOf('FAILED', { image: foreign })).toContain(`linux/${architecture}`);
  });

  it('as a port that another instance has is told with its name', async () => {
    const detail = await detailOf('FAILED', { image, fields: { port: `8080:${WEB_PORT}` } });
    expect(detail).toMatch(/port 8080\/tcp .*taken/);
    expect(detail).toContain(healthy.instanceId);
  });

  it('as a port that a program of the host has is told with the program, and overcome when that ends', async () => {
    const { host } = at.worker;
    const program = at.testbed.adopt(
      await host.spawn('busybox', ['nc', '-l', '-p', '9090'], {
        logFile: join(at.testbed.directory, 'nc.log'),
      }),
    );
    await eventually(async () => (await host.exec('ss', ['-Hltn', 'sport = :9090'])).stdout.trim() !== '', {
      timeoutMs: 20_000,
      describe: 'the program to listen',
    });
    const bad = await at.deploy({ name: 'bad', image, fields: { port: `9090:${WEB_PORT}` } });
    const { status_detail: detail } = await at.untilStatus(bad, 'FAILED');
    expect(detail).toMatch(
      new RegExp(`port 9090/tcp .*taken by the program "(busybox|nc)" \\(process ${program.pid}\\)`),
    );
    await program.stop();
    await at.untilStatus(bad, 'RUNNING');
    expect((await httpFrom(at.client, `http://${host.address}:9090/`)).status).toBe(200);
  });

  it('as too little memory is told, whether it starts or not', async () => {
    const hog = await at.registry.push(await buildFaultyImage('memory-hog', at.imageCache), 'hog');
    expect(await detailOf('DEAD', { image: hog, fields: { memory: 24 } })).toMatch(/out of memory.*24 MiB/i);
    const tiny = await at.deploy({ name: 'tiny', image, fields: { memory: 1 } });
    const found = await at.untilInstance(
      tiny,
      'ended',
      ({ status }) => status === 'DEAD' || status === 'FAILED',
    );
    expect(found.status_detail).toMatch(/limit of 1 MiB.*more memory/);
  });

  it('as a command that does not exist is told with the command and the image', async () => {
    const missing = await at.registry.push(
      await buildFaultyImage('command-missing', at.imageCache),
      'missing',
    );
    expect(await detailOf('FAILED', { image: missing })).toMatch(
      /"\/bin\/misbehave" does not exist in image .*missing/,
    );
    const other = await at.deploy({ name: 'other', image, fields: { cmd: ['start-it', '--now'] } });
    expect((await at.untilStatus(other, 'FAILED')).status_detail).toMatch(/"start-it" does not exist.*cmd/);
  });

  it('as more memory or cores than any machine has waits, and tells what is wanted and what there is', async () => {
    const memory = 900_000_000;
    const wanting = await detailOf('NoActiveClusterWithCapacity', { image, fields: { memory } });
    expect(wanting).toMatch(new RegExp(`${memory} MiB of memory are wanted, the largest worker has \\d+`));
    const wide = await at.deploy({ name: 'wide', image, fields: { vcpus: 5_000 } });
    expect((await at.untilStatus(wide, 'NoActiveClusterWithCapacity')).status_detail).toMatch(/5000/);
    const strange = await at.deploy({ name: 'strange', image, fields: { virtualization: 'punchcard' } });
    expect((await at.untilStatus(strange, 'NoActiveClusterWithCapacity')).status_detail).toMatch(/punchcard/);
  });

  it('as a certificate of another authority, role or name gets nowhere and is told why', async () => {
    const { testbed, authority } = at;
    const foreign = await openTestAuthority({ directory: join(testbed.directory, 'foreign') });
    const strangers = [
      { name: 'stranger', by: foreign, role: 'cluster', says: /certificate|authority/i },
      { name: 'impostor', by: authority, role: 'worker', says: /cluster|role/i },
    ] as const;
    for (const { name, by, role, says } of strangers) {
      const { caFile } = await by.issue({ role, name });
      const cluster = createTierProcess({
        ...{ testbed, host: at.client, role: 'cluster', name, stateDirectory: join(testbed.directory, name) },
        flags: [
          ...['--name', name, '--tls-directory', dirname(caFile), '--root', `${at.root.host.address}:50052`],
        ],
      });
      const process = await cluster.launch();
      const line = await process.waitForLine(/"level":"(warn|error)"/, { timeoutMs: 30_000 });
      expect(line).toMatch(says);
      await cluster.stop();
    }
    const { caFile } = await authority.issue({ role: 'worker', name: 'someone' });
    const worker = createTierProcess({
      ...{
        testbed,
        host: at.client,
        role: 'worker',
        name: 'worker9',
        stateDirectory: join(testbed.directory, 'w9'),
      },
      flags: [
        ...[
          '--name',
          'worker9',
          '--tls-directory',
          dirname(caFile),
          '--cluster-address',
          at.cluster.host.address,
        ],
        ...[
          '--containerd-socket',
          at.worker.containerd.address,
          '--network-prefix',
          `oak-${at.client.namespace}`,
        ],
        ...['--containerd-namespace', 'oakestra-worker9', '--cgroup-parent', '/oakestra-worker9'],
      ],
    });
    const process = await worker.launch();
    const line = await process.waitForLine(/"level":"warn".*registers only itself/, { timeoutMs: 30_000 });
    expect(line).toContain('someone');
    await worker.stop();
    const clusters = await at.api.call<{ cluster_name: string }[]>('GET', '/api/clusters');
    expect(clusters.map(({ cluster_name: name }) => name)).toEqual(['cluster']);
  });
});
