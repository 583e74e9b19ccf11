import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../conformance/world.ts';
import type { Image, InstanceSpec, Runtime } from '../runtime.ts';
import { readCgroupMounts } from './cgroup-stats.ts';
import type { OciImageConfig } from './prepared-image.ts';
import { type ContainerdHost, startContainerdHost } from './test-support/containerd-host.ts';

let host: ContainerdHost;
let runtime: Runtime;

beforeAll(async () => {
  host = await startContainerdHost();
  runtime = host.openRuntime();
});
afterEach(async () => {
  for (const { id } of await runtime.list()) await runtime.remove(id);
  expect(await host.containerd.leftovers()).toEqual([]);
});
afterAll(async () => {
  await runtime?.close();
  await host?.containerd.dispose();
});

const id = 'shop.live.web.live.instance.0';

function specOf(changes: Partial<InstanceSpec>): InstanceSpec {
  return {
    id,
    image: { reference: 'tiny:1' },
    command: [],
    environment: [],
    memoryMib: 0,
    cpuMillis: 0,
    hostname: 'instance-0',
    logPath: host.logPathOf(id),
    labels: {},
    ...changes,
  };
}

function imageWith(config: NonNullable<OciImageConfig['config']>): Image {
  return { ...host.image.prepared, config: { config } } as Image;
}

/** Runs a script in an instance until it is done and answers what it said. */
async function said(
  script: string,
  changes: Partial<InstanceSpec> = {},
  image = imageWith({}),
): Promise<string> {
  await writeFile(host.logPathOf(id), '').catch(() => undefined);
  await runtime.create(specOf({ command: ['/bin/sh', '-c', `exec 2>&1; ${script}`], ...changes }), image);
  await runtime.start(id);
  await eventually('the end of the script', async () =>
    (await runtime.list())[0]?.state.kind === 'exited' ? true : undefined,
  );
  await runtime.remove(id);
  return (await host.readLog(host.logPathOf(id))).trim();
}

it('runs as the user of the image, by name, with its groups', async () => {
  const script = 'id -u; id -g; id -G';
  expect(await said(script, {}, imageWith({ User: 'ana' }))).toBe('1234\n4321\n4321 555');
  expect(await said(script, {}, imageWith({ User: 'ana:crew' }))).toBe('1234\n555\n555');
  expect(await said(script, {}, imageWith({ User: '1234' }))).toBe('1234\n4321\n4321 555');
  expect(await said(script, {}, imageWith({ User: '77:88' }))).toBe('77\n88\n88');
  expect(await said('id -u')).toBe('0');
});

it('does not start as a user that the upper layer removed, or that never was', async () => {
  const create = (user: string) => runtime.create(specOf({ command: ['id'] }), imageWith({ User: user }));
  await expect(create('old')).rejects.toMatchObject({ code: 'user-not-found' });
  await expect(create('ana:nobody')).rejects.toMatchObject({ code: 'user-not-found' });
  expect(await runtime.list()).toEqual([]);
});

it('gives environment, working directory, host name and the files of the network', async () => {
  const hostsPath = join(host.containerd.directory, 'hosts');
  const resolvConfPath = join(host.containerd.directory, 'resolv.conf');
  await writeFile(hostsPath, '10.0.0.1 web\n');
  await writeFile(resolvConfPath, 'nameserver 10.0.0.2\n');
  const text = await said(
    'echo $A $B $HOSTNAME; readlink /proc/self/cwd; hostname; cat /etc/hosts /etc/resolv.conf; echo x > /etc/hosts',
    { environment: ['B=service'], hostsPath, resolvConfPath },
    imageWith({ Env: ['A=image', 'B=image'], WorkingDir: '/tmp' }),
  );
  expect(text.split('\n').slice(0, 5)).toEqual([
    'image service instance-0',
    '/tmp',
    'instance-0',
    '10.0.0.1 web',
    'nameserver 10.0.0.2',
  ]);
  expect(text).toContain('Read-only file system');
});

it('takes rights away', async () => {
  const status = await said('cat /proc/self/status; cat /proc/kcore | dd bs=1 count=1; ls /sys/class/net');
  expect(status).toMatch(/NoNewPrivs:\s+1/);
  expect(status).toMatch(/CapEff:\s+00000000a80425fb/);
  expect(status).toMatch(/CapInh:\s+0000000000000000/);
  expect(status.split('\n').at(-1)).toBe('lo');
  expect(status).toContain('0+0 records in');
  expect(await said('readlink /proc/1/exe; echo 1 > /proc/sys/kernel/panic')).toMatch(
    /^\/bin\/busybox\n.*Read-only file system/,
  );
});

it('sets the limits in the kernel', async () => {
  await runtime.create(
    specOf({ command: ['/bin/sh', '-c', 'sleep 1000'], memoryMib: 32, cpuMillis: 250 }),
    imageWith({}),
  );
  const { pid } = await runtime.start(id);
  expect(await readFile(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max open files\s+1024\s+1024/);
  const mounts = await readCgroupMounts();
  const path = join(host.containerd.cgroupParent, id);
  const controlled = (controller: string, name: string) =>
    readFile(join(mounts.byController.get(controller) ?? mounts.unified ?? '', path, name), 'utf8');
  if (mounts.byController.has('memory')) {
    expect(await controlled('memory', 'memory.limit_in_bytes')).toBe(`${32 * 1024 * 1024}\n`);
    expect(await controlled('cpu', 'cpu.cfs_quota_us')).toBe('25000\n');
  } else {
    expect(await controlled('memory', 'memory.max')).toBe(`${32 * 1024 * 1024}\n`);
    expect(await controlled('cpu', 'cpu.max')).toBe('25000 100000\n');
  }
  expect(await controlled('pids', 'pids.max')).toBe('4096\n');
});

it.each([
  ['a file that is no program', { command: ['/etc/motd'] }, {}, 'command-not-executable', '/etc/motd'],
  ['a path that is not there', { command: ['/bin/none'] }, {}, 'command-not-found', '/bin/none'],
  ['a command of the image that is not there', {}, { Entrypoint: ['serve'] }, 'command-not-found', 'serve'],
  ['no command at all', {}, {}, 'command-missing', 'tiny:1'],
  [
    'a file as working directory',
    { command: ['true'] },
    { WorkingDir: '/etc/motd' },
    'working-directory-unusable',
    '/etc/motd',
  ],
  [
    'no room for the first process',
    { command: ['true'], memoryMib: 0.1 },
    {},
    'out-of-memory',
    'more memory',
  ],
  [
    'a network that is not there',
    { command: ['true'], networkNamespacePath: '/run/netns/none' },
    {},
    'host-path-missing',
    '/run/netns/none',
  ],
  [
    'a host file that is not there',
    { command: ['true'], hostsPath: '/none/hosts' },
    {},
    'host-path-missing',
    '/none/hosts',
  ],
] as const)('explains %s', async (_what, changes, config, code, text) => {
  const start = async () => {
    await runtime.create(specOf(changes), imageWith(config));
    await runtime.start(id);
  };
  const failure = await start().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ code, message: expect.stringContaining(text) });
  await runtime.remove(id);
  expect(await runtime.list()).toEqual([]);
});

it('says that an image is not unpacked any more', async () => {
  const image = { ...imageWith({}), chainId: `sha256:${'0'.repeat(64)}` } as Image;
  await expect(runtime.create(specOf({ command: ['true'] }), image)).rejects.toMatchObject({
    code: 'image-not-prepared',
  });
});
