import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, ownOwnerId, runCommand } from '../processes/index.ts';
import { openTestbed, type Testbed } from '../testbed.ts';

const traces = async () => {
  const links = await runCommand('ip', ['-br', 'link']);
  const namespaces = await runCommand('ip', ['netns', 'list']);
  return `${links.stdout}${namespaces.stdout}`
    .split('\n')
    .filter((line) => line.includes(`otb${ownOwnerId()}`));
};

describe('test hosts', () => {
  let testbed: Testbed | undefined;
  afterEach(async () => {
    await testbed?.close();
    testbed = undefined;
  });

  it('reach each other and the machine through the switch, under their own names', async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 3 });
    const [one, two, three] = network.hosts as [(typeof network.hosts)[0], ...typeof network.hosts];
    expect(await one.canReach((two as typeof one).address)).toBe(true);
    expect(await (three as typeof one).canReach(network.gatewayAddress)).toBe(true);
    const process = testbed.adopt(
      await one.spawn('sh', ['-c', 'echo name=$(hostname) home=$HOME; exec sleep 1000'], {
        logFile: `${testbed.directory}/one.log`,
        env: { HOME: '/somewhere' },
      }),
    );
    expect(await process.waitForLine(/name=/, { timeoutMs: 5_000 })).toBe('name=host1 home=/somewhere');
    const inside = await one.exec('readlink', ['/proc/self/ns/net']);
    const outside = await runCommand('readlink', [`/proc/${process.pid}/ns/net`]);
    expect(outside.stdout).toBe(inside.stdout);
    expect(
      (await one.exec('sh', ['-c', 'cat /proc/self/cgroup; grep -c cgroup /proc/self/mountinfo'])).stdout,
    ).not.toMatch(/^0$/m);
  });

  it('reach a server of the test itself', async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 1 });
    const server = createServer((request, response) => response.end(`hello ${request.socket.remoteAddress}`));
    testbed.defer('server', () => server.close());
    await new Promise<void>((resolve) => server.listen(0, network.gatewayAddress, resolve));
    const { port } = server.address() as { port: number };
    const [host] = network.hosts;
    const answer = await host?.exec('busybox', [
      'wget',
      '-q',
      '-O',
      '-',
      `http://${network.gatewayAddress}:${port}/`,
    ]);
    expect(answer?.stdout).toBe(`hello ${host?.address}`);
  });

  it('lose each other by every kind of cut, and find each other when it is healed', async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 2 });
    const [one, two] = network.hosts as [(typeof network.hosts)[0], (typeof network.hosts)[0]];

    await network.block(one, two);
    expect(await one.canReach(two.address)).toBe(false);
    expect(await one.canReach(network.gatewayAddress)).toBe(true);
    await network.unblock(two, one);
    expect(await one.canReach(two.address)).toBe(true);

    await network.isolate(one);
    expect(await one.canReach(network.gatewayAddress)).toBe(false);
    expect(await two.canReach(network.gatewayAddress)).toBe(true);
    expect((await one.exec('ip', ['-br', 'link', 'show', 'eth0'])).stdout).toMatch(/\bUP\b/);
    await network.rejoin(one);
    expect(await one.canReach(network.gatewayAddress)).toBe(true);

    await one.unplug();
    expect((await one.exec('ip', ['-br', 'link', 'show', 'eth0'])).stdout).toMatch(/LOWERLAYERDOWN|\bDOWN\b/);
    expect(await one.canReach(two.address)).toBe(false);
    await network.isolate('gateway');
    await network.heal();
    await eventually(() => one.canReach(two.address), {
      timeoutMs: 5_000,
      describe: 'the hosts to meet again',
    });
    expect(await two.canReach(network.gatewayAddress)).toBe(true);
  });

  it('lose about the share of packets they are told to lose', async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 2 });
    const [one, two] = network.hosts as [(typeof network.hosts)[0], (typeof network.hosts)[0]];
    expect(await one.canReach(two.address)).toBe(true);
    await network.lose(one, 0.3);
    const { stdout } = await one.exec(
      'busybox',
      ['ping', '-q', '-i', '0.01', '-c', '300', '-W', '1', two.address],
      { okCodes: [0, 1] },
    );
    const lossPercent = Number(/(\d+)% packet loss/.exec(stdout)?.[1]);
    // Out and back are lost independently: 1 - 0.7² is 51 %.
    expect(lossPercent).toBeGreaterThan(35);
    expect(lossPercent).toBeLessThan(67);
  });

  it('leave nothing when destroyed, although programs still run on them', async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 2 });
    const other = await testbed.network({ hosts: 1 });
    expect(other.subnet).not.toBe(network.subnet);
    const stubborn = await network.hosts[0]?.spawn('sh', ['-c', "trap '' TERM; while :; do sleep 1; done"], {
      logFile: `${testbed.directory}/stubborn.log`,
    });
    expect(await traces()).not.toEqual([]);
    await network.destroy();
    await network.destroy();
    expect(stubborn?.isRunning()).toBe(false);
    await other.destroy();
    expect(await traces()).toEqual([]);
  });

  it('are removed when the run is interrupted, and swept when it is killed', async () => {
    testbed = await openTestbed();
    const script = `
      import { createTestNetwork } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
      const network = await createTestNetwork({ hosts: 2 });
      const sleeper = await network.hosts[0].spawn('sleep', ['1000'], { logFile: process.argv[1] });
      console.log('made', network.subnet, sleeper.pid);
      setInterval(() => {}, 1000);
    `;
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const run = await testbed.process({
        name: `run-${signal}`,
        command: process.execPath,
        args: [
          '--import',
          'tsx',
          '--input-type=module',
          '--eval',
          script,
          `${testbed.directory}/sleeper.log`,
        ],
      });
      const line = await run.waitForLine(/^made/, { timeoutMs: 30_000 });
      const sleeper = Number(line.split(' ')[2]);
      const left = () =>
        spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.includes(
          `otb${run.pid.toString(36)}-`,
        );
      expect(left()).toBe(true);
      run.signal(signal);
      expect(await run.waitForExit({ timeoutMs: 10_000 })).toEqual({ code: null, signal });
      if (signal === 'SIGKILL') {
        expect(left()).toBe(true);
        const next = await openTestbed();
        await next.close();
      }
      expect(left()).toBe(false);
      await eventually(() => !isAlive(sleeper), {
        timeoutMs: 5_000,
        describe: 'the program on the host to be gone',
      });
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
