import { createManualClock, type Logger, seededRandom } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256Digest } from '../../images/manifest.ts';
import { parseImageReference } from '../../images/reference.ts';
import { type FakeRegistry, startFakeRegistry } from '../../images/test-support/fake-registry.ts';
import { type NamedImage, namesToRemove } from './image-records.ts';
import { readImageTree } from './image-tree.ts';
import { createTagResolver } from './tag-resolver.ts';
import { imageOf, indexOf, layerOf } from './test-support/test-image.ts';

const [A, B] = ['a', 'b'].map((letter) => `sha256:${letter.repeat(64)}`) as [string, string];
const never = new AbortController().signal;

describe('namesToRemove', () => {
  const all: readonly NamedImage[] = [
    { name: 'r.example/app:1', digest: A },
    { name: 'r.example/app:same', digest: A },
    { name: `r.example/app@${A}`, digest: A },
    { name: 'r.example/app:2', digest: B },
    { name: `r.example/app@${B}`, digest: B },
    { name: `r.example/other@${A}`, digest: A },
  ];

  it.each([
    ['r.example/app:1', ['r.example/app:1']],
    ['r.example/app:2', ['r.example/app:2', `r.example/app@${B}`]],
    ['r.example/app:3', []],
    [`r.example/app@${A}`, ['r.example/app:1', 'r.example/app:same', `r.example/app@${A}`]],
  ])('takes for %s what only it needs', (reference, names) => {
    expect(namesToRemove(parseImageReference(reference), all)).toEqual(names);
  });
});

describe('createTagResolver', () => {
  let registry: FakeRegistry;
  const warnings: unknown[] = [];
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: (_, fields) => warnings.push(fields),
    error: () => {},
    child: () => logger,
  };
  const local = { name: '', digest: A, descriptor: { mediaType: 'm', digest: A, size: 1 } };
  const resolve = (
    known: typeof local | undefined,
    clock = createManualClock(),
    reference = `${registry.host}/app:1`,
  ) => {
    const resolver = createTagResolver({
      records: { get: async () => known },
      registries: {},
      clock,
      random: seededRandom(1),
      logger,
    });
    return resolver
      .resolve({ reference: parseImageReference(reference), credentials: undefined, signal: never })
      .finally(() => resolver.close());
  };

  beforeEach(async () => {
    registry = await startFakeRegistry();
    registry.addManifest('app', '1', 'application/vnd.oci.image.manifest.v1+json', Buffer.from('{}'));
    warnings.length = 0;
  });
  afterEach(() => registry.close());

  it('asks the registry, also when the tag is known here', async () => {
    expect(await resolve(local)).toMatchObject({
      root: { digest: sha256Digest(Buffer.from('{}')) },
      isStale: false,
    });
  });

  it('asks nobody about a digest', async () => {
    expect(await resolve(undefined, createManualClock(), `${registry.host}/app@${B}`)).toMatchObject({
      root: { digest: B },
      isStale: false,
    });
    expect(registry.requests).toHaveLength(0);
  });

  it('uses what is here when the registry is silent, soon and with a warning', async () => {
    registry.intercept = () => true;
    const clock = createManualClock();
    const resolving = resolve(local, clock);
    while (registry.requests.length === 0) await new Promise((done) => setImmediate(done));
    await clock.advance(5_000);
    expect(await resolving).toEqual({
      root: local.descriptor,
      isStale: true,
      localDigest: local.digest,
    });
    expect(warnings).toHaveLength(1);
  });

  it('believes a registry that says no', async () => {
    await expect(resolve(local, createManualClock(), `${registry.host}/app:gone`)).rejects.toMatchObject({
      code: 'image-not-found',
    });
  });
});

describe('readImageTree', () => {
  const platform = { os: 'linux', architecture: 'amd64' };

  async function treeOf(root: { digest: string; manifest: Buffer }, documents: ReadonlyMap<string, Buffer>) {
    return await readImageTree({
      root: { mediaType: '', digest: root.digest, size: 0 },
      platform,
      imageName: 'app:1',
      load: async ({ digest }) => documents.get(digest),
    });
  }

  it('goes through indexes to the image of the platform', async () => {
    const layer = await layerOf(Buffer.from('layer'), 'gzip');
    const image = imageOf([layer]);
    const inner = indexOf([{ image, platform }]);
    const outer = indexOf([
      { image: imageOf([], { architecture: 's390x' }), platform: { os: 'linux', architecture: 's390x' } },
      { image: { ...image, ...inner }, platform },
    ]);
    const documents = new Map([
      ...image.blobs,
      [image.digest, image.manifest],
      [inner.digest, inner.manifest],
      [outer.digest, outer.manifest],
    ]);
    const tree = await treeOf(outer, documents);
    expect(tree?.root).toEqual({
      mediaType: outer.manifestType,
      digest: outer.digest,
      size: outer.manifest.length,
    });
    expect(tree?.choices.map(({ index, position }) => [index.digest, position])).toEqual([
      [outer.digest, 1],
      [inner.digest, 0],
    ]);
    expect(tree?.config.diffIds).toEqual([sha256Digest(layer.tar)]);
    documents.delete(image.digest);
    expect(await treeOf(outer, documents)).toBeUndefined();
  });

  it('refuses an image that was built for something else', async () => {
    const image = imageOf([], { architecture: 'arm64' });
    await expect(
      treeOf(image, new Map([...image.blobs, [image.digest, image.manifest]])),
    ).rejects.toMatchObject({
      code: 'image-platform-missing',
      message: expect.stringContaining('built for linux/arm64 and cannot run on linux/amd64'),
    });
  });

  it('refuses an image whose documents do not match', async () => {
    const [one, two] = [imageOf([await layerOf(Buffer.from('a'), 'none')]), imageOf([])];
    const config = JSON.parse(two.manifest.toString('utf8')).config;
    const manifest = Buffer.from(JSON.stringify({ ...JSON.parse(one.manifest.toString('utf8')), config }));
    const digest = sha256Digest(manifest);
    const documents = new Map([...one.blobs, ...two.blobs, [digest, manifest]]);
    await expect(treeOf({ digest, manifest }, documents)).rejects.toThrow(
      /has 1 layers, its configuration 0/,
    );
  });
});
