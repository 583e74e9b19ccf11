import { createHash } from 'node:crypto';
import { Sensitive } from '@oakestra/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildMultiArchitectureImage,
  buildRedisImage,
  buildStaticWebImage,
  hostPlatform,
  MEDIA_TYPES,
  pushImage,
  registryRequest,
} from '../images/index.ts';
import { openTestbed, type Testbed } from '../testbed.ts';
import { type Registry, startRegistry } from './registry.ts';

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
}

describe('the registry of the testbed', () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await openTestbed();
  });
  afterAll(() => testbed.close());
  const cache = () => `${testbed.directory}/cache`;

  const manifestOf = async (registry: Registry, name: string, reference: string, mediaType: string) => {
    const { status, body } = await registry.request({
      method: 'GET',
      target: `/v2/${name}/manifests/${reference}`,
      headers: { accept: mediaType },
    });
    expect(status).toBe(200);
    return JSON.parse(body.toString('utf8')) as Manifest;
  };

  it('gives back byte for byte what was pushed', async () => {
    const registry = await testbed.registry();
    const layout = await buildRedisImage(cache());
    const pushed = await registry.push(layout, 'library/redis', '7');
    expect(pushed.reference).toBe(`${registry.host}/library/redis:7`);
    const manifest = await manifestOf(registry, 'library/redis', '7', MEDIA_TYPES.manifest);
    expect(manifest.layers.map((layer) => layer.mediaType.split('+')[1])).toEqual(['gzip', 'zstd', 'gzip']);
    for (const { digest, size } of manifest.layers) {
      const { body } = await registry.request({ method: 'GET', target: `/v2/library/redis/blobs/${digest}` });
      expect(body.length).toBe(size);
      expect(`sha256:${createHash('sha256').update(body).digest('hex')}`).toBe(digest);
    }
    // What is there already is taken as it is.
    expect(await registry.push(layout, 'library/redis', '7')).toEqual(pushed);
  });

  it('keeps multi-architecture indexes', async () => {
    const registry = await testbed.registry();
    const pushed = await registry.push(await buildMultiArchitectureImage(cache()), 'multi');
    const { body } = await registry.request({
      method: 'GET',
      target: `/v2/multi/manifests/${pushed.digest}`,
      headers: { accept: MEDIA_TYPES.index },
    });
    const { manifests } = JSON.parse(body.toString('utf8')) as {
      manifests: { digest: string; platform: { architecture: string } }[];
    };
    expect(manifests.map(({ platform }) => platform.architecture).sort()).toEqual(['amd64', 'arm64']);
    const ours = manifests.find(({ platform }) => platform.architecture === hostPlatform().architecture);
    const manifest = await manifestOf(registry, 'multi', ours?.digest ?? '', MEDIA_TYPES.manifest);
    expect(manifest.layers).toHaveLength(2);
  });

  it('asks for credentials when it has any', async () => {
    const credentials = { username: 'edge', password: new Sensitive("wi$e'pass word") };
    const registry = await testbed.registry({ credentials });
    const layout = await buildStaticWebImage(cache());
    await registry.push(layout, 'private/web');
    const { url } = registry.access;
    expect((await registryRequest({ url }, { method: 'GET', target: '/v2/' })).status).toBe(401);
    await expect(pushImage(layout, { url, name: 'other/web', tag: 'latest' })).rejects.toMatchObject({
      kind: 'unauthenticated',
      code: 'push-refused',
    });
    const wrong = { username: 'edge', password: new Sensitive('wrong') };
    expect(
      (await registryRequest({ url, credentials: wrong }, { method: 'GET', target: '/v2/' })).status,
    ).toBe(401);
  });

  it('goes down and comes back on the same port with its content', async () => {
    const registry = await testbed.registry();
    const pushed = await registry.push(await buildStaticWebImage(cache()), 'web');
    await registry.stop();
    expect(registry.pid()).toBeUndefined();
    await expect(registry.request({ method: 'GET', target: '/v2/' })).rejects.toMatchObject({
      code: 'registry-unreachable',
    });
    await registry.start();
    const { headers } = await registry.request({
      method: 'HEAD',
      target: '/v2/web/manifests/latest',
      headers: { accept: MEDIA_TYPES.manifest },
    });
    expect(headers['docker-content-digest']).toBe(pushed.digest);
  });

  it("speaks TLS with a certificate of the testbed's authority on the test network", async () => {
    const network = await testbed.network({ hosts: 1 });
    const address = network.gatewayAddress;
    const authority = await testbed.authority();
    const tls = await authority.issue({ role: 'client', name: 'registry', ipAddresses: [address] });
    const credentials = { username: 'edge', password: new Sensitive('secret') };
    const registry = await testbed.registry({ address, tls, credentials });
    expect(registry.access.url).toBe(`https://${registry.host}`);
    const { reference } = await registry.push(await buildStaticWebImage(cache()), 'web');
    await expect(
      registryRequest({ url: registry.access.url, credentials }, { method: 'GET', target: '/v2/' }),
    ).rejects.toMatchObject({ code: 'registry-unreachable' });

    const [host] = network.hosts;
    const containerd = await testbed.containerd({ name: 'tls', ...(host && { host }) });
    const pull = ['images', 'pull', '--user', 'edge:secret'];
    await expect(containerd.ctr('tls', [...pull, reference])).rejects.toThrow(/certificate/);
    // ctr talks to the registry itself, so it has to run where the network is.
    const ctr = ['--address', containerd.address, '--namespace', 'tls'];
    await host?.exec('ctr', [...ctr, ...pull, '--tlscacert', authority.caFile, reference]);
    expect((await containerd.leftovers({ withImages: true })).images).toEqual([`tls/${reference}`]);
  });

  it('says that its port is taken, and leaves nothing', async () => {
    const registry = await testbed.registry();
    const port = Number(registry.host.split(':')[1]);
    await expect(startRegistry({ port })).rejects.toMatchObject({ kind: 'conflict', code: 'port-taken' });
  });
});
