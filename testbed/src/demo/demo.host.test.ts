import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, runCommand } from '../processes/index.ts';
import { openTestbed, type Testbed } from '../testbed.ts';
import { buildDemoImage } from './demo.ts';

const directory = fileURLToPath(new URL('../../../examples/demo', import.meta.url));

describe('the demo image', () => {
  let testbed: Testbed;
  afterEach(() => testbed.close());

  it('serves its page and tells who answers, as an unprivileged user', async () => {
    testbed = await openTestbed();
    const network = await testbed.network({ hosts: 1 });
    const [host] = network.hosts;
    const containerd = await testbed.containerd(host ? { host } : {});
    const registry = await testbed.registry();
    const image = await buildDemoImage({ directory, cacheDirectory: `${testbed.directory}/cache` });
    const { reference } = await registry.push(image, 'oakestra/demo');
    const namespace = `demo-${process.pid}`;
    await containerd.ctr(namespace, ['images', 'pull', '--plain-http', reference]);
    const limits = ['--memory-limit', String(32 * 1024 * 1024)];
    const environment = ['--env', 'GREETING=Say "hi" \\ & <b>'];
    await containerd.ctr(namespace, [
      'run',
      '-d',
      '--net-host',
      ...limits,
      ...environment,
      reference,
      'demo',
    ]);
    const get = async (path: string) =>
      (await runCommand('busybox', ['wget', '-q', '-O', '-', `http://${host?.address}:8080${path}`])).stdout;
    const page = await eventually(() => get('/'), { timeoutMs: 10_000, describe: 'the page' });
    expect(page).toContain('<title>Oakestra demo</title>');
    for (const [, file] of page.matchAll(/(?:href|src)="([^"/]+\.\w+)"/g)) {
      expect(await get(`/${file}`)).not.toBe('');
    }
    expect(JSON.parse(await get('/cgi-bin/instance'))).toMatchObject({
      greeting: 'Say "hi" \\ & <b>',
      user: '1000:1000',
      addresses: expect.stringContaining(host?.address ?? 'host'),
      platform: expect.stringMatching(/^linux\/a/),
      client: network.gatewayAddress,
      uptimeSeconds: expect.any(Number),
      memoryBytes: expect.any(Number),
    });
  });
});
