import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildStaticWebImage,
  eventually,
  freePorts,
  openTestbed,
  type Testbed,
  type TestHost,
  WEB_PORT,
} from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createApiClient,
  createTierProcess,
  createWorkerNode,
  httpFrom,
  instanceIdOf,
  removeCgroups,
  removeNamespaces,
  removeRuncFolder,
  slaOf,
  startLoopbackRegistry,
} from './installation/index.ts';
import { ensureBuild, PROGRAM, runOakestra } from './program.ts';

const ROLES = ['root', 'cluster', 'worker', 'up', 'down'] as const;

beforeAll(ensureBuild);

describe('the executable', () => {
  let testbed: Testbed;
  beforeEach(async () => {
    testbed = await openTestbed();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await testbed.logs());
    await testbed.close();
  });

  it('says what it can do, as a whole and for each command', async () => {
    const { stdout, stderr } = await runOakestra(['--help']);
    expect(stderr).toBe('');
    for (const role of ROLES) {
      expect(stdout).toMatch(new RegExp(`^  ${role} +\\S`, 'm'));
      const help = await runOakestra([role, '--help']);
      expect(help.stdout).toContain(`Usage: oakestra ${role} [flags]`);
      expect(help.stdout).toMatch(/--state-directory/);
    }
    expect((await runOakestra(['worker', '--help'])).stdout).toMatch(/--cluster-api-port(.|\n)*10100/);
    expect((await runOakestra([])).stdout).toBe(stdout);
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    for (const args of [['--version'], ['root', '--version'], ['up', '--version']]) {
      expect((await runOakestra(args)).stdout).toBe(`oakestra ${version}\n`);
    }
  });

  it('shows every setting with its origin, and no secret', async () => {
    const file = join(testbed.directory, 'worker.yaml');
    const registries = { 'registry.example': { username: 'u', password: 'very secret' } };
    await writeFile(file, JSON.stringify({ usageInterval: '7s', registries, name: 'of the file' }), {
      mode: 0o600,
    });
    const { stdout } = await runOakestra(
      ['worker', '--print-config', '--config', file, '--cluster-address', '192.0.2.7', '--name', 'edge1'],
      { env: { OAKESTRA_SUBNET: '10.88.0.0/24', CLUSTER_ADDRESS: '192.0.2.8' } },
    );
    const lineOf = (name: string) => stdout.split('\n').find((line) => line.startsWith(`${name} `));
    expect(lineOf('clusterAddress')).toMatch(/192\.0\.2\.7 +flag --cluster-address$/);
    expect(lineOf('name')).toMatch(/edge1 +flag --name$/);
    expect(lineOf('subnet')).toMatch(/10\.88\.0\.0\/24 +environment OAKESTRA_SUBNET$/);
    expect(lineOf('usageInterval')).toMatch(/7s +\S*worker\.yaml:1$/);
    expect(lineOf('clusterApiPort')).toMatch(/10100 +default$/);
    expect(lineOf('registries')).toMatch(/worker\.yaml:1$/);
    expect(stdout).not.toContain('very secret');
  });

  it('names each wrong setting, and what was probably meant', async () => {
    const flags = ['--api-prot', '1', '--cluster-port', '70000', '--restart-grace', 'soon'];
    const { code, stdout, stderr } = await runOakestra(['root', ...flags], { okCodes: [2] });
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/--api-prot.*--api-port/);
    expect(stderr).toMatch(/clusterPort .*65535.*70000.*--cluster-port/);
    expect(stderr).toMatch(/restartGrace.*soon.*--restart-grace/);
    expect(stderr).not.toMatch(/^ +at /m);
    const unknown = await runOakestra(['wroker'], { okCodes: [2] });
    expect(unknown.stderr).toContain('"wroker" is no command');
  });

  it('says which port is taken, and which state directory is in use by whom', async () => {
    const [apiPort, clusterPort, otherPort] = (await freePorts(3)).map(String) as [string, string, string];
    const rootFlags = (state: string, ports: readonly [string, string]) => [
      ...['root', '--state-directory', join(testbed.directory, state), '--listen', '127.0.0.1'],
      ...['--api-port', ports[0], '--cluster-port', ports[1]],
    ];
    const first = await testbed.process({
      name: 'root',
      command: process.execPath,
      args: [PROGRAM, ...rootFlags('first', [apiPort, clusterPort])],
    });
    await first.waitForLine(/root is ready/, { timeoutMs: 60_000 });

    const failing = (flags: readonly string[]) => runOakestra(flags, { okCodes: [1] });
    const sameApiPort = await failing(rootFlags('second', [apiPort, otherPort]));
    expect(sameApiPort.stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${apiPort} is in use by another program`));
    const sameClusterPort = await failing(rootFlags('second', [otherPort, clusterPort]));
    expect(sameClusterPort.stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${clusterPort}.*--cluster-port`));
    const sameDirectory = await failing(rootFlags('first', [otherPort, otherPort]));
    expect(sameDirectory.stderr).toMatch(new RegExp(`first is in use by process ${first.pid}`));
    expect(first.isRunning()).toBe(true);
    expect(await first.stop()).toEqual({ code: 0, signal: null });
  });

  it('says which file is missing when a tier has no certificate', async () => {
    const state = join(testbed.directory, 'cluster');
    const { stderr } = await runOakestra(['cluster', '--state-directory', state], { okCodes: [1] });
    expect(stderr).toContain(join(state, 'tls', 'ca.pem'));
  });
});

describe('"oakestra up" on one machine', () => {
  let testbed: Testbed;
  let host: TestHost;
  beforeAll(async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 1 });
    host = network.hosts[0] as TestHost;
  });
  afterAll(() => testbed?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await testbed.logs());
  });

  it('runs an application, leaves it alone on "down", and leaves no trace on "down --purge"', async () => {
    const groupName = `oakestra-${host.namespace}`;
    const networkPrefix = `oak-${host.namespace}`;
    testbed.defer('cgroups', () => removeCgroups(groupName));
    testbed.defer('the folder of runc', () => removeRuncFolder(groupName));
    testbed.defer('network namespaces', () => removeNamespaces(networkPrefix));
    const containerd = await testbed.containerd({ host });
    const registry = await startLoopbackRegistry(testbed, [host]);
    const image = await registry.push(await buildStaticWebImage(join(testbed.directory, 'cache')), 'web');
    const stateDirectory = join(testbed.directory, 'state');
    await mkdir(stateDirectory);
    const up = createTierProcess({
      ...{ testbed, host, role: 'up', name: 'up', stateDirectory },
      flags: [
        ...['--worker-containerd-socket', containerd.address, '--worker-containerd-namespace', groupName],
        ...['--worker-cgroup-parent', `/${groupName}`, '--worker-network-prefix', networkPrefix],
      ],
    });
    const node = createWorkerNode({
      ...{ name: 'up', host, process: up, containerd, groupName, networkPrefix },
      stateDirectory: join(stateDirectory, 'worker'),
    });
    const down = (...flags: string[]) =>
      host.exec(process.execPath, [PROGRAM, 'down', '--state-directory', stateDirectory, ...flags], {
        timeoutMs: 60_000,
      });

    await up.start();
    const api = createApiClient({
      host: host.address,
      port: 10000,
      caPem: await readFile(join(stateDirectory, 'root', 'authority', 'ca.pem'), 'utf8'),
      password: async () => (await readFile(join(stateDirectory, 'root', 'admin-password'), 'utf8')).trim(),
    });
    const fields = { port: `8080:${WEB_PORT}` };
    const [application] = await api.submit(slaOf({ name: 'web', image, fields }));
    const [serviceId = ''] = application?.microservices ?? [];
    await api.deploy(serviceId);
    const statusIs = (wanted: string) =>
      eventually(
        async () => {
          const [instance] = (await api.service(serviceId)).instance_list;
          if (instance?.status === wanted) return true;
          throw new Error(`${instance?.status} (${instance?.status_detail})`);
        },
        { timeoutMs: 60_000, describe: `the instance to be ${wanted}` },
      );
    await statusIs('RUNNING');
    const answers = () => httpFrom(host, 'http://127.0.0.1:8080/');
    const untilAnswers = () => eventually(answers, { timeoutMs: 20_000, describe: 'the instance to answer' });
    expect((await untilAnswers()).status).toBe(200);
    const before = await node.runningTask(instanceIdOf('web', 0));

    const stopped = await down();
    expect(stopped.stdout).toContain(`Stopped process ${up.pid()}`);
    expect(up.isRunning()).toBe(false);
    expect((await answers()).status).toBe(200);
    expect((await down()).stdout).toContain('No "oakestra up" runs');

    await up.start();
    await statusIs('RUNNING');
    expect(await node.runningTask(instanceIdOf('web', 0))).toEqual(before);

    const purged = await down('--purge');
    expect(purged.stdout).toContain('Nothing is left.');
    expect(up.isRunning()).toBe(false);
    expect(await node.traces()).toEqual([]);
    expect(await containerd.leftovers({ withImages: true, cgroupParents: [groupName] })).toMatchObject({
      ...{ images: [], containers: [], snapshots: [], leases: [], cgroups: [] },
    });
    expect(existsSync(stateDirectory) ? readdirSync(stateDirectory) : []).toEqual([]);
    expect((await host.exec('ip', ['-brief', 'link', 'show', 'type', 'bridge'])).stdout).toBe('');
    expect((await host.exec('nft', ['list', 'ruleset'])).stdout).toBe('');
    for (const hierarchy of readdirSync('/sys/fs/cgroup')) {
      expect(existsSync(join('/sys/fs/cgroup', hierarchy, groupName))).toBe(false);
    }
    // Purging what is gone is no error.
    expect((await down('--purge')).stdout).toContain('Nothing is left.');
  });
});
