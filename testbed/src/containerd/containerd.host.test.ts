import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { shimsOf } from '../../../scripts/setup/containerd-remains.mjs';
import { startTimeOf } from '../../../scripts/setup/process-identity.mjs';
import {
  buildEchoImage,
  buildFaultyImage,
  buildMultiArchitectureImage,
  buildRedisImage,
  buildStaticWebImage,
  type ImageLayout,
} from '../images/index.ts';
import { eventually, runCommand } from '../processes/index.ts';
import { openTestbed, type Testbed } from '../testbed.ts';
import type { TestContainerd } from './containerd.ts';

/** runc's folders are shared by all containerds of a machine, and other runs may use the same names. */
const NAMESPACE = `test-${process.pid}`;

const NOTHING = {
  containers: [],
  tasks: [],
  snapshots: [],
  leases: [],
  images: [],
  shims: [],
  runcStates: [],
  mounts: [],
  cgroups: [],
};

async function pull(testbed: Testbed, containerd: TestContainerd, layout: ImageLayout): Promise<string> {
  const registry = await testbed.registry();
  const { reference } = await registry.push(layout, 'image');
  await containerd.ctr(NAMESPACE, ['images', 'pull', '--plain-http', reference]);
  return reference;
}

describe('the containerd of the testbed', () => {
  let testbed: Testbed;
  afterEach(() => testbed.close());

  it('runs a container of the static image, survives kill -9, and leaves nothing', async () => {
    testbed = await openTestbed();
    const containerd = await testbed.containerd();
    expect(await containerd.leftovers()).toEqual(NOTHING);
    const reference = await pull(
      testbed,
      containerd,
      await buildStaticWebImage(`${testbed.directory}/cache`),
    );
    await containerd.ctr(NAMESPACE, [
      'run',
      '--detach',
      '--runc-root',
      `${testbed.directory}/runc`,
      reference,
      'web',
    ]);
    const busy = await containerd.leftovers({ withImages: true });
    expect(busy.containers).toEqual([`${NAMESPACE}/web`]);
    expect(busy.tasks).toEqual([`${NAMESPACE}/web`]);
    expect(busy.images).toEqual([`${NAMESPACE}/${reference}`]);
    expect(busy.snapshots).toHaveLength(3);
    expect(busy.shims).toHaveLength(1);
    expect(busy.runcStates).toHaveLength(1);
    expect(busy.mounts.some((path) => path.endsWith('/web/rootfs'))).toBe(true);
    expect(busy.cgroups.length).toBeGreaterThan(0);
    const [shim] = busy.shims;

    const firstPid = containerd.pid();
    await containerd.kill();
    await containerd.start();
    expect(containerd.pid()).not.toBe(firstPid);
    expect((await containerd.leftovers()).shims).toEqual([shim]);
    expect(await containerd.ctr(NAMESPACE, ['tasks', 'list'])).toMatch(/web\s+\d+\s+RUNNING/);

    const { address } = containerd;
    await containerd.close();
    await containerd.close();
    expect(shimsOf(address)).toEqual([]);
    expect((await runCommand('cat', ['/proc/self/mountinfo'])).stdout).not.toContain(testbed.directory);
    for (const path of busy.cgroups) expect(existsSync(dirname(path))).toBe(false);
    for (const path of busy.runcStates) expect(existsSync(path)).toBe(false);
    expect(startTimeOf(Number(shim))).toBeUndefined();
  });

  it('runs on a test host', async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 1 });
    const [host] = network.hosts;
    const containerd = await testbed.containerd(host ? { host } : {});
    const inside = await host?.exec('readlink', ['/proc/self/ns/net']);
    const daemon = await runCommand('readlink', [`/proc/${containerd.pid()}/ns/net`]);
    expect(daemon.stdout).toBe(inside?.stdout);
  });

  it('runs the images with several layers and several architectures', async () => {
    testbed = await openTestbed();
    const containerd = await testbed.containerd();
    const cache = `${testbed.directory}/cache`;
    const redis = await pull(testbed, containerd, await buildRedisImage(cache));
    await containerd.ctr(NAMESPACE, ['run', '--detach', redis, 'redis']);
    const ping = () =>
      containerd.ctr(NAMESPACE, ['tasks', 'exec', '--exec-id', 'v', 'redis', redisServer, '--version']);
    const redisServer = '/usr/bin/redis-server';
    expect(await ping()).toMatch(/Redis server v=/);
    expect(await containerd.ctr(NAMESPACE, ['tasks', 'list'])).toMatch(/redis\s+\d+\s+RUNNING/);
    const multi = await pull(testbed, containerd, await buildMultiArchitectureImage(cache));
    expect(
      await containerd.ctr(NAMESPACE, ['run', '--rm', multi, 'multi', '/bin/cat', '/etc/image-platform']),
    ).toMatch(process.arch === 'arm64' ? /^linux\/arm64/ : /^linux\/amd64/);
  });

  it('runs the image that echoes, over TCP and UDP', async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 1 });
    const [host] = network.hosts;
    const containerd = await testbed.containerd(host ? { host } : {});
    const echo = await pull(testbed, containerd, await buildEchoImage(`${testbed.directory}/cache`));
    await containerd.ctr(NAMESPACE, ['run', '--detach', '--net-host', '--env', 'NAME=one', echo, 'echo']);
    await eventually(
      async () => {
        const answer = await runCommand('busybox', ['nc', '-w', '2', host?.address ?? '', '7777'], {
          input: 'hello\n',
        });
        return answer.stdout === 'one hello\n';
      },
      { timeoutMs: 10_000, describe: 'an echo over TCP' },
    );
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    const answer = new Promise<string>((resolve) =>
      socket.once('message', (text) => resolve(text.toString())),
    );
    await eventually(
      async () => {
        socket.send('hi', 7777, host?.address);
        return Promise.race([
          answer,
          new Promise<undefined>((late) => setTimeout(() => late(undefined), 200)),
        ]);
      },
      { timeoutMs: 5_000, describe: 'an echo over UDP' },
    );
    expect(await answer).toBe('one hi');
    socket.close();
  });

  it('shows each fault of the faulty images', async () => {
    testbed = await openTestbed();
    const containerd = await testbed.containerd();
    const cache = `${testbed.directory}/cache`;
    const run = async (fault: Parameters<typeof buildFaultyImage>[0], args: readonly string[]) => {
      const reference = await pull(testbed, containerd, await buildFaultyImage(fault, cache));
      return runCommand(
        'ctr',
        ['-a', containerd.address, '-n', NAMESPACE, 'run', ...args, reference, fault],
        {
          okCodes: [0, 1, 7, 137],
        },
      );
    };
    const exits = await run('exits', ['--rm', '--env', 'EXIT_CODE=7']);
    expect(exits).toMatchObject({ code: 7, stdout: 'ending with code 7\n' });

    expect((await run('memory-hog', ['--rm', '--memory-limit', String(32 * 1024 * 1024)])).code).toBe(137);

    expect((await run('command-missing', ['--rm'])).stderr).toMatch(/no such file/);

    await run('ignores-sigterm', ['--detach']);
    await containerd.ctr(NAMESPACE, ['tasks', 'kill', '--signal', 'SIGTERM', 'ignores-sigterm']);
    await new Promise((later) => setTimeout(later, 300));
    expect(await containerd.ctr(NAMESPACE, ['tasks', 'list'])).toMatch(/ignores-sigterm\s+\d+\s+RUNNING/);
  });

  it('stops the web image at once on SIGTERM', async () => {
    testbed = await openTestbed();
    const containerd = await testbed.containerd();
    const web = await pull(testbed, containerd, await buildStaticWebImage(`${testbed.directory}/cache`));
    await containerd.ctr(NAMESPACE, ['run', '--detach', web, 'web']);
    await containerd.ctr(NAMESPACE, ['tasks', 'kill', '--signal', 'SIGTERM', 'web']);
    await eventually(async () => (await containerd.ctr(NAMESPACE, ['tasks', 'list'])).includes('STOPPED'), {
      timeoutMs: 1_000,
      describe: 'the web server to end',
      intervalMs: 20,
    });
  });
});
