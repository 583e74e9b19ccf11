import { connect } from 'node:net';
import { Sensitive } from '@oakestra/contracts';
import {
  buildEchoImage,
  buildFaultyImage,
  buildMultiArchitectureImage,
  buildRedisImage,
  buildStaticWebImage,
  ECHO_PORT,
  eventually,
  hostPlatform,
  REDIS_PORT,
  type Registry,
  WEB_PORT,
} from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Deployed,
  httpFrom,
  type Installation,
  openInstallation,
  readLimits,
  slaOf,
  udpFrom,
} from './installation/index.ts';

const MIB = 2 ** 20;
const CREDENTIALS = { username: 'edge', password: new Sensitive('a registry password') };

describe('a deployment', () => {
  let at: Installation;
  let secureRegistry: Registry;

  beforeAll(async () => {
    at = await openInstallation({
      flags: { worker1: ['--usage-interval', '1s'] },
      async registries({ testbed, network }) {
        const authority = await testbed.authority();
        const address = network.gatewayAddress;
        const tls = await authority.issue({ role: 'client', name: 'registry', ipAddresses: [address] });
        secureRegistry = await testbed.registry({ address, tls, credentials: CREDENTIALS });
        const { username, password } = CREDENTIALS;
        return {
          [secureRegistry.host]: { caFile: tls.caFile, username, password: password.reveal() },
        };
      },
    });
  });
  afterAll(() => at?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.removeEverything();
  });

  const webImage = async () => at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
  const logOf = async (deployed: Deployed) => (await at.instance(deployed))?.logs ?? '';
  const untilLogged = (deployed: Deployed, pattern: RegExp) =>
    eventually(async () => pattern.exec(await logOf(deployed)), {
      timeoutMs: 30_000,
      describe: `${deployed.instanceId} to write ${pattern}`,
    });

  it('answers over TCP and UDP through its published ports, from everywhere, until it is undeployed', async () => {
    const image = await at.registry.push(await buildEchoImage(at.imageCache), 'echo');
    const port = `6000:${ECHO_PORT}/tcp;6001:${ECHO_PORT}/udp;6002:${ECHO_PORT}`;
    const echo = await at.run({ name: 'echo', image, fields: { port, environment: ['NAME=edge'] } });
    const { host } = at.worker;

    const found = await at.instance(echo);
    expect(found?.host_ip).toBe(host.address);
    expect(found?.cluster_id).not.toBe('');
    expect(found?.worker_id).toMatch(/^[0-9a-f]{24}$/);

    for (const place of [host, at.client]) {
      const own = place === host ? ['127.0.0.1'] : [];
      for (const address of [...own, host.address]) {
        expect(await udpFrom(place, { address, port: 6001 }, 'over UDP')).toBe('edge over UDP');
        for (const tcpPort of ['6000', '6002']) {
          const { stdout } = await place.exec('busybox', ['nc', '-w', '5', address, tcpPort], {
            input: 'over TCP',
          });
          expect(stdout).toBe('edge over TCP');
        }
      }
    }
    expect(await talk(host.address, 6000, 'from the machine')).toBe('edge from the machine');

    await at.remove(echo);
    expect(await at.worker.traces()).toEqual([]);
    await expect(talk(host.address, 6000, 'anybody there?')).rejects.toThrow('ECONNREFUSED');
  });

  it('is taken in over HTTPS, and over plain HTTP on loopback only', async () => {
    const { root, client, api, authority } = at;
    const sla = slaOf({ name: 'plain', image: await webImage() });
    const token = await api.login();
    const ask = { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(sla) };
    const local = await httpFrom(root.host, 'http://127.0.0.1:10000/api/application', ask);
    expect(local.status).toBe(200);
    expect(local.body).toContain('plain');

    const remote = await httpFrom(client, `http://${root.host.address}:10000/api/application`, ask);
    expect(remote.status).toBe(426);
    expect(remote.body).toContain(`https://${root.host.address}:10000/api/application`);

    const trusting = await client.exec('curl', [
      ...['--silent', '--show-error', '--cacert', authority.caFile],
      ...['--header', `authorization: Bearer ${token}`, `https://${root.host.address}:10000/api/application`],
    ]);
    expect(JSON.parse(JSON.parse(trusting.stdout))).toHaveLength(1);
  });

  it('shows plausible figures and the output at the root', async () => {
    const image = await webImage();
    const work = 'dd if=/dev/zero of=/tmp/file bs=1M count=4 2>/dev/null; echo working; while :; do :; done';
    const busy = await at.run({
      name: 'busy',
      image,
      fields: { cmd: ['/bin/sh', '-c', work], stop_grace_seconds: 0 },
    });
    const figures = await at.untilInstance(busy, 'measured', ({ cpu_percent: cpu, disk, logs }) => {
      return Number(cpu) > 1 && Number(disk) >= 4 * MIB && logs !== '';
    });
    // One of the cores of this machine is all that it may use.
    expect(Number(figures.cpu_percent)).toBeLessThan(75);
    expect(Number(figures.memory_percent)).toBeGreaterThan(50 * 1024);
    expect(Number(figures.memory_percent)).toBeLessThanOrEqual(32 * MIB);
    expect(Number(figures.disk)).toBeLessThan(8 * MIB);
    expect(figures.logs).toBe('working\n');
  });

  it('is held to its limits by the kernel, and says when it ran out of memory', async () => {
    const image = await at.registry.push(await buildFaultyImage('memory-hog', at.imageCache), 'hog');
    const modest = await at.run({
      name: 'modest',
      image,
      fields: { memory: 96, environment: ['MEGABYTES=20'], stop_grace_seconds: 0 },
    });
    const { pid } = await at.worker.runningTask(modest.instanceId);
    expect(readLimits(pid)).toEqual({ memoryBytes: 96 * MIB, cores: 1 });
    const held = await at.untilInstance(
      modest,
      'measured',
      ({ memory_percent: bytes }) => Number(bytes) > 20 * MIB,
    );
    expect(Number(held.memory_percent)).toBeLessThan(96 * MIB);

    const greedy = await at.deploy({ name: 'greedy', image, fields: { memory: 40, vcpus: 0 } });
    const dead = await at.untilStatus(greedy, 'DEAD');
    expect(dead.status_detail).toMatch(/out of memory.*40 MiB/i);
    expect((await at.instance(modest))?.status).toBe('RUNNING');
    expect((await at.worker.runningTask(modest.instanceId)).pid).toBe(pid);
  });

  it('gets its environment and command, and the user and working directory of its image', async () => {
    const image = await webImage();
    const script = 'echo "$GREETING|$(id -u):$(id -g)|$(pwd)|$(hostname)"; sleep 100000';
    const told = await at.run({
      name: 'told',
      image,
      fields: {
        cmd: ['/bin/sh', '-c', script],
        environment: ['GREETING=Hello = "you" $HOME'],
        stop_grace_seconds: 0,
      },
    });
    const [line] = await untilLogged(told, /^Hello.*$/m);
    expect(line).toBe('Hello = "you" $HOME|1000:1000|/www|instance-0');
  });

  it('pulls layers in gzip and zstd from a registry with TLS and credentials', async () => {
    const { reference } = await secureRegistry.push(await buildRedisImage(at.imageCache), 'private/redis');
    const redis = await at.run({
      name: 'redis',
      image: reference,
      fields: { port: `6379:${REDIS_PORT}`, memory: 64 },
    });
    const pong = await eventually(() => talk(at.worker.host.address, 6379, 'PING\r\nQUIT\r\n'), {
      timeoutMs: 20_000,
      describe: 'Redis to answer',
    });
    expect(pong).toBe('+PONG\r\n+OK\r\n');
    expect(await logOf(redis)).not.toContain(CREDENTIALS.password.reveal());
    const log = await at.worker.process.output();
    expect(log).not.toContain(CREDENTIALS.password.reveal());
  });

  it('takes the variant of this machine out of an image for several architectures', async () => {
    const image = await at.registry.push(await buildMultiArchitectureImage(at.imageCache), 'multi');
    await at.run({ name: 'multi', image, fields: { port: `8080:${WEB_PORT}` } });
    const { architecture } = hostPlatform();
    const answer = await eventually(
      () => httpFrom(at.client, `http://${at.worker.host.address}:8080/cgi-bin/instance`),
      { timeoutMs: 20_000, describe: 'the instance to answer' },
    );
    expect(JSON.parse(answer.body)).toEqual({ hostname: 'instance-0', platform: `linux/${architecture}` });
  });

  it('tells the exit code, or the signal, of an instance that ended, and starts it again', async () => {
    const exits = await at.registry.push(await buildFaultyImage('exits', at.imageCache), 'exits');
    const failing = await at.deploy({
      name: 'failing',
      image: exits,
      fields: { environment: ['EXIT_CODE=3'] },
    });
    expect((await at.untilStatus(failing, 'DEAD')).status_detail).toBe('Ended with exit code 3');

    const image = await webImage();
    // It may not run again, so what is said of its end stays.
    const once = await at.run({
      name: 'once',
      image,
      fields: { one_shot: true, one_shot_delivery: 'at-most-once' },
    });
    process.kill((await at.worker.runningTask(once.instanceId)).pid, 'SIGKILL');
    expect((await at.untilStatus(once, 'DEAD')).status_detail).toBe(
      'Ended by signal SIGKILL (exit code 137)',
    );

    const killed = await at.run({ name: 'killed', image, fields: { port: `8080:${WEB_PORT}` } });
    const before = await at.worker.runningTask(killed.instanceId);
    process.kill(before.pid, 'SIGKILL');
    await eventually(async () => (await at.worker.runningTask(killed.instanceId)).pid !== before.pid, {
      timeoutMs: 30_000,
      describe: 'the killed instance to run again',
    });
    await at.untilStatus(killed, 'RUNNING');
    await eventually(() => httpFrom(at.client, `http://${at.worker.host.address}:8080/`), {
      timeoutMs: 20_000,
      describe: 'the restarted instance to answer',
    });
  });

  it('runs a one-shot job once, and keeps only what became of it', async () => {
    const image = await at.registry.push(await buildFaultyImage('exits', at.imageCache), 'exits');
    const fields = { one_shot: true, environment: ['EXIT_CODE=0'] };
    const job = await at.deploy({ name: 'job', image, fields });
    const done = await at.untilStatus(job, 'COMPLETED');
    expect(done.status_detail).toBe('Ended with exit code 0');
    await eventually(async () => (await at.worker.containerIds()).length === 0, {
      timeoutMs: 20_000,
      describe: 'the container of the completed job to be gone',
    });
    expect((await at.instance(job))?.status).toBe('COMPLETED');
  });

  it('has its grace time to end, and not more', async () => {
    const image = await at.registry.push(await buildFaultyImage('ignores-sigterm', at.imageCache), 'deaf');
    const deaf = await at.run({ name: 'deaf', image, fields: { stop_grace_seconds: 2 } });
    // Before that it would not ignore anything.
    await untilLogged(deaf, /ignored/);
    const { pid, startTime } = await at.worker.runningTask(deaf.instanceId);
    const startMs = performance.now();
    await at.api.undeploy(deaf.serviceId, deaf.number);
    await eventually(async () => !(await at.worker.runningTasks()).some((task) => task.pid === pid), {
      timeoutMs: 30_000,
      describe: `process ${pid} (${startTime}) to be killed`,
    });
    expect(performance.now() - startMs).toBeGreaterThan(1_900);
    await at.untilGone(deaf.instanceId);
  });

  it('keeps the digest that its tag had when it was deployed', async () => {
    const web = await buildStaticWebImage(at.imageCache);
    const echo = await buildEchoImage(at.imageCache);
    const image = await at.registry.push(web, 'moving', 'stable');
    const first = await at.run({ name: 'first', image, fields: { port: `8080:${WEB_PORT}` } });
    await at.registry.push(echo, 'moving', 'stable');
    const second = await at.run({ name: 'second', image, fields: { port: `7000:${ECHO_PORT}` } });
    const imageOf = async ({ instanceId }: Deployed) =>
      (JSON.parse(await at.worker.ctr(['containers', 'info', instanceId])) as { readonly Image: string })
        .Image;
    expect(await imageOf(first)).toContain(web.top.digest);
    expect(await imageOf(second)).toContain(echo.top.digest);

    const { pid } = await at.worker.runningTask(first.instanceId);
    process.kill(pid, 'SIGKILL');
    await eventually(async () => (await at.worker.runningTask(first.instanceId)).pid !== pid, {
      timeoutMs: 30_000,
      describe: 'the first instance to run again',
    });
    expect(await imageOf(first)).toContain(web.top.digest);
  });

  it('has as many instances as were asked for, each removed by its number, or all at once', async () => {
    const image = await webImage();
    const first = await at.run({ name: 'many', image });
    await at.api.deploy(first.serviceId);
    await at.api.deploy(first.serviceId);
    const [second, third] = [1, 2].map((number) => ({
      ...first,
      number,
      instanceId: first.instanceId.replace(/0$/, `${number}`),
    }));
    if (second === undefined || third === undefined) throw new Error('unreachable');
    await at.untilStatus(second, 'RUNNING');
    await at.untilStatus(third, 'RUNNING');
    expect([...(await at.worker.containerIds())].sort()).toEqual(
      [first, second, third].map(({ instanceId }) => instanceId),
    );

    await at.api.undeploy(first.serviceId, 1);
    await at.untilGone(second.instanceId);
    expect([...(await at.worker.containerIds())].sort()).toEqual([first.instanceId, third.instanceId]);
    await at.api.undeploy(first.serviceId, -1);
    await at.untilGone(first.instanceId);
    await at.untilGone(third.instanceId);
    expect((await at.api.service(first.serviceId)).instance_list).toEqual([]);
  });
});

/** Sends `text` over TCP and answers everything that comes back. */
function talk(host: string, port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let answer = '';
    socket.setTimeout(5_000, () => socket.destroy(new Error(`no answer from ${host}:${port}`)));
    socket.on('error', reject);
    socket.on('data', (part: Buffer) => {
      answer += part.toString('utf8');
    });
    socket.on('end', () => resolve(answer));
    socket.end(text);
  });
}
