import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OakestraError, Sensitive } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256Digest } from '../../images/manifest.ts';
import type { Registries } from '../../images/registry-settings.ts';
import type { ImageProgress } from '../../runtime.ts';
import { type ContainerdConnection, createContainerdConnection } from '../containerd-connection.ts';
import { LeasesDefinition } from '../gen/containerd/leases.gen.ts';
import { SnapshotsDefinition } from '../gen/containerd/snapshots.gen.ts';
import { type PrivateContainerd, startPrivateContainerd } from '../test-support/private-containerd.ts';
import type { ChildProgram } from './pull-child.ts';
import { createImagePuller, type ImagePuller } from './pull-process.ts';
import { buildChildProgram, killChildren } from './test-support/child-program.ts';
import { freePort, type PrivateRegistry, startPrivateRegistry } from './test-support/private-registry.ts';
import {
  DOCKER_MANIFEST,
  imageOf,
  indexOf,
  layerOf,
  type TestImage,
  type TestLayer,
  tarOf,
} from './test-support/test-image.ts';
import { startThrottle } from './test-support/throttle.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const silent: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};

let containerd: PrivateContainerd;
let connection: ContainerdConnection;
let registry: PrivateRegistry;
let program: ChildProgram & { dispose(): Promise<void> };
let base: TestLayer;
let middle: TestLayer;
let top: TestLayer;
let app: TestImage;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  [containerd, registry, program] = await Promise.all([
    startPrivateContainerd(),
    startPrivateRegistry(),
    buildChildProgram(),
  ]);
  base = await layerOf(await tarOf({ 'bin/busybox': { copy: '/bin/busybox' } }), 'gzip');
  middle = await layerOf(await tarOf({ 'etc/passwd': 'www:x:7:7::/srv:/bin/sh\n', 'srv/a': 'a' }), 'zstd');
  top = await layerOf(await tarOf({ 'srv/index.html': 'hello' }), 'none');
  app = imageOf([base, middle, top], {
    config: {
      Cmd: ['/bin/busybox', 'cat', '/srv/index.html'],
      Env: ['A=1'],
      StopSignal: 'SIGQUIT',
      User: 'www',
    },
  });
});
afterAll(async () => {
  await Promise.all([containerd?.dispose(), registry?.dispose(), program?.dispose()]);
});
beforeEach(() => {
  connection = createContainerdConnection(containerd);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  const puller = createImagePuller({ childProgram: program, connection, logger: silent });
  await puller.removeEverything();
  await puller.close();
  connection.close();
  // Whatever happened in a test: nothing of it is left once our images are gone.
  expect(await remains()).toEqual({ images: '', leases: '', snapshots: '', content: '', ingests: '' });
});

async function remains() {
  const listed = async (...args: string[]) =>
    (await containerd.ctr(...args)).split('\n').slice(1).join('\n').trim();
  return {
    images: await containerd.ctr('images', 'list', '--quiet'),
    leases: await containerd.ctr('leases', 'list', '--quiet'),
    snapshots: await listed('snapshots', 'list'),
    content: await containerd.ctr('content', 'list', '--quiet'),
    ingests: await listed('content', 'active'),
  };
}

function pullerWith(registries: Registries = {}): ImagePuller {
  const puller = createImagePuller({ childProgram: program, connection, logger: silent, registries });
  closers.push(() => puller.close());
  return puller;
}

const signal = () => new AbortController().signal;

async function failure(promise: Promise<unknown>): Promise<OakestraError> {
  const error = await promise.then(
    () => new Error('it succeeded'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof OakestraError) return error;
  throw error;
}

/** The content of a file of an unpacked image, as a container of it would see it. */
async function fileOf(chainId: string, path: string): Promise<string> {
  // The lease keeps the view from being collected while we look.
  const id = `look-${randomBytes(4).toString('hex')}`;
  const target = join(containerd.directory, id);
  await connection.unary(LeasesDefinition, 'create', { id, labels: {} });
  try {
    const request = { snapshotter: 'overlayfs', key: id, parent: chainId, labels: {} };
    const { mounts } = await connection.unary(SnapshotsDefinition, 'view', request, { lease: id });
    await mkdir(target);
    const [{ type = '', source = '', options = [] } = {}] = mounts;
    await run('mount', [...(type === 'bind' ? [] : ['-t', type]), '-o', options.join(','), source, target]);
    try {
      return await readFile(join(target, path), 'utf8');
    } finally {
      await run('umount', [target]);
      await rmdir(target);
    }
  } finally {
    await connection.unary(LeasesDefinition, 'delete', { id, sync: true });
  }
}

function largeImage(mebibytes: number): TestImage {
  const tar = randomBytes(mebibytes * MIB);
  return imageOf([{ tar, compressed: tar, mediaType: 'application/vnd.oci.image.layer.v1.tar' }]);
}

async function largeTarImage(mebibytes: number): Promise<TestImage> {
  const tar = await tarOf({ 'data/random': randomBytes(mebibytes * MIB).toString('latin1') });
  return imageOf([await layerOf(tar, 'none')]);
}

describe('prepareImage', () => {
  it('pulls an image of several layers and compressions, and answers from containerd afterwards', async () => {
    await registry.push('team/app', '1', app);
    const progress: ImageProgress[] = [];
    const puller = pullerWith();
    const request = { reference: `${registry.host}/team/app:1` };
    const image = await puller.prepareImage(request, {
      signal: signal(),
      onProgress: (step) => progress.push(step),
    });
    expect(image).toMatchObject({
      pinnedReference: `${registry.host}/team/app@${app.digest}`,
      digest: app.digest,
      stopSignal: 'SIGQUIT',
      isStale: false,
      config: {
        architecture: 'amd64',
        config: { Cmd: ['/bin/busybox', 'cat', '/srv/index.html'], Env: ['A=1'], User: 'www' },
      },
    });
    expect(await fileOf(image.chainId, 'srv/index.html')).toBe('hello');
    expect(await fileOf(image.chainId, 'srv/a')).toBe('a');
    expect(progress[0]?.phase).toBe('resolving');
    expect(progress.some(({ doneBytes, totalBytes }) => totalBytes > 0 && doneBytes === totalBytes)).toBe(
      true,
    );
    expect((await remains()).leases).toBe('');

    // Without the registry and without the child: a digest needs neither, from memory or read again.
    await registry.kill();
    try {
      const pinned = { reference: image.pinnedReference };
      const other = createImagePuller({
        childProgram: { command: 'false', args: [] },
        connection,
        logger: silent,
      });
      closers.push(() => other.close());
      expect(await puller.prepareImage(pinned, { signal: signal() })).toEqual(image);
      expect(await other.prepareImage(pinned, { signal: signal() })).toEqual(image);
      const startedAt = performance.now();
      await other.prepareImage(pinned, { signal: signal() });
      expect(performance.now() - startedAt).toBeLessThan(200);

      // A tag is answered by what is here, and said to be.
      expect(await other.prepareImage(request, { signal: signal() })).toEqual({ ...image, isStale: true });
    } finally {
      await registry.start();
    }
  });

  it('follows a tag that moved, and keeps the old image by its digest', async () => {
    const reference = `${registry.host}/team/moving:1`;
    const puller = pullerWith();
    await registry.push('team/moving', '1', imageOf([base]));
    const old = await puller.prepareImage({ reference }, { signal: signal() });
    await registry.push('team/moving', '1', imageOf([base, top]));
    const current = await puller.prepareImage({ reference }, { signal: signal() });
    expect(current.digest).not.toBe(old.digest);
    await registry.kill();
    try {
      expect(await puller.prepareImage({ reference: old.pinnedReference }, { signal: signal() })).toEqual(
        old,
      );
    } finally {
      await registry.start();
    }
  });

  it('reads images that Docker pushed', async () => {
    const layer = await layerOf(await tarOf({ 'srv/docker': 'yes' }), 'gzip', 'docker');
    const image = imageOf([layer], { family: 'docker', config: { Entrypoint: ['/x'], WorkingDir: '/srv' } });
    expect(image.manifestType).toBe(DOCKER_MANIFEST);
    await registry.push('team/docker', '1', image);
    const pulled = await pullerWith().prepareImage(
      { reference: `${registry.host}/team/docker:1` },
      { signal: signal() },
    );
    expect(pulled.config.config).toEqual({ Entrypoint: ['/x'], WorkingDir: '/srv' });
    expect(await fileOf(pulled.chainId, 'srv/docker')).toBe('yes');
  });

  it('chooses by platform from an index', async () => {
    const arm = imageOf([await layerOf(await tarOf({ arch: 'arm' }), 'gzip')], {
      architecture: 'arm',
      variant: 'v7',
    });
    const amd = imageOf([await layerOf(await tarOf({ arch: 'amd' }), 'gzip')], { architecture: 'amd64' });
    const index = indexOf([
      { image: arm, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
      { image: amd, platform: { os: 'linux', architecture: 'amd64' } },
    ]);
    for (const image of [arm, amd]) await registry.push('team/multi', image.digest.slice(7, 19), image);
    await registry.push('team/multi', '1', index);
    const puller = pullerWith();
    const reference = `${registry.host}/team/multi:1`;
    for (const [platform, content] of [
      ['linux/amd64', 'amd'],
      ['linux/arm/v7', 'arm'],
    ] as const) {
      const image = await puller.prepareImage({ reference, platform }, { signal: signal() });
      expect(image.digest).toBe(index.digest);
      expect(await fileOf(image.chainId, 'arch')).toBe(content);
    }
    const missing = await failure(
      puller.prepareImage({ reference, platform: 'linux/s390x' }, { signal: signal() }),
    );
    expect(missing.code).toBe('image-platform-missing');
    expect(missing.message).toContain('linux/arm/v7, linux/amd64');
  });

  it('shares one pull between callers, and layers between images that are pulled at once', async () => {
    const big = await layerOf(await tarOf({ 'big/random': randomBytes(4 * MIB).toString('latin1') }), 'gzip');
    const images = [imageOf([big, middle]), imageOf([big, top]), imageOf([big, middle, top])];
    for (const [i, image] of images.entries()) await registry.push(`team/share${i}`, '1', image);
    const before = (await registry.accessLog()).length;
    const puller = createImagePuller({
      childProgram: program,
      connection,
      logger: silent,
      maxParallelPulls: 3,
    });
    closers.push(() => puller.close());
    const all = await Promise.all(
      [0, 0, 0, 1, 1, 2].map((i) =>
        puller.prepareImage({ reference: `${registry.host}/team/share${i}:1` }, { signal: signal() }),
      ),
    );
    expect(new Set(all.map(({ chainId }) => chainId)).size).toBe(3);
    const requests = (await registry.accessLog()).slice(before).filter((line) => line.includes('"GET /v2/'));
    expect(requests.filter((line) => line.includes('/team/share0/manifests/'))).toHaveLength(1);
    expect(requests.filter((line) => line.includes(`/blobs/${sha256Digest(big.compressed)}`))).toHaveLength(
      1,
    );
    expect((await remains()).leases).toBe('');
  });

  it('goes on after the registry was killed in the middle of a layer', async () => {
    const image = await largeTarImage(8);
    await registry.push('team/large', '1', image);
    const size = [...image.blobs.values()].reduce((sum, { length }) => sum + length, 0);
    const link = await startThrottle(registry.port, 6 * MIB);
    closers.push(() => link.close());
    const pulling = pullerWith().prepareImage(
      { reference: `${link.host}/team/large:1` },
      { signal: signal() },
    );
    await link.passed(3 * MIB);
    await registry.kill();
    await registry.start();
    await pulling;
    expect(link.passedBytes).toBeGreaterThan(size);
    // Had it begun anew, three more would have passed.
    expect(link.passedBytes).toBeLessThan(size + 2 * MIB);
  });

  it('goes on with the next pull when the registry stayed away', async () => {
    const image = await largeTarImage(8);
    await registry.push('team/later', '1', image);
    const size = [...image.blobs.values()].reduce((sum, { length }) => sum + length, 0);
    const link = await startThrottle(registry.port, 6 * MIB);
    closers.push(() => link.close());
    const reference = `${link.host}/team/later:1`;
    const pulling = failure(pullerWith().prepareImage({ reference }, { signal: signal() }));
    await link.passed(3 * MIB);
    await registry.kill();
    expect((await pulling).code).toBe('registry-unreachable');
    await registry.start();
    const kept = await remains();
    expect(kept.leases).toMatch(/^oakestra-pull-[0-9a-f]+-resume\n$/);
    expect(kept).toMatchObject({ images: '', snapshots: '' });

    await pullerWith().prepareImage({ reference }, { signal: signal() });
    expect(link.passedBytes).toBeLessThan(size + 2 * MIB);
    expect((await remains()).leases).toBe('');
  });

  it('cleans up when it is cancelled, and when its child is killed', async () => {
    await registry.push('team/cancel', '1', await largeTarImage(4));
    const link = await startThrottle(registry.port, MIB);
    closers.push(() => link.close());
    const reference = `${link.host}/team/cancel:1`;

    const controller = new AbortController();
    const pulling = pullerWith().prepareImage({ reference }, { signal: controller.signal });
    await link.passed(MIB);
    controller.abort(new Error('undeployed'));
    await expect(pulling).rejects.toThrow('undeployed');
    expect((await remains()).leases).toMatch(/-resume\n$/);
    expect((await remains()).snapshots).toBe('');

    const crashed = failure(pullerWith().prepareImage({ reference }, { signal: signal() }));
    await link.passed(2 * MIB);
    expect(await killChildren(program)).toBe(1);
    expect(await crashed).toMatchObject({
      code: 'image-pull-failed',
      message: expect.stringContaining('SIGKILL'),
    });
    expect((await remains()).leases).toMatch(/^(oakestra-pull-[0-9a-f]+-resume\n)+$/);
    expect((await remains()).snapshots).toBe('');
  });
});

describe('a containerd that can pull by itself', () => {
  it('does so, with our credentials and its progress; for an older one it is done', async () => {
    const closed = await startPrivateRegistry({ isTls: true, hasUsers: true });
    closers.push(() => closed.dispose());
    await closed.push('team/app', '1', app);
    // Only containerd trusts the registry: what our own client does there, fails.
    process.env.SSL_CERT_FILE = closed.caPath;
    const trusting = await startPrivateContainerd().finally(() => delete process.env.SSL_CERT_FILE);
    closers.push(() => trusting.dispose());
    const toTrusting = createContainerdConnection(trusting);
    closers.push(async () => toTrusting.close());
    const registries = { [closed.host]: { plainHttp: false } };
    const puller = createImagePuller({
      childProgram: program,
      connection: toTrusting,
      logger: silent,
      registries,
    });
    closers.push(() => puller.close());

    const credentials = { username: 'ann', password: new Sensitive('s3cret') };
    const reference = `${closed.host}/team/app@${app.digest}`;
    const progress: ImageProgress[] = [];
    const onProgress = (step: ImageProgress) => progress.push(step);
    const pulling = puller.prepareImage({ reference, credentials }, { signal: signal(), onProgress });
    if ((await trusting.ctr('plugins', 'list')).includes('io.containerd.transfer.v1')) {
      expect(await pulling).toMatchObject({ digest: app.digest, stopSignal: 'SIGQUIT' });
      expect(progress.some(({ phase, doneBytes }) => phase === 'downloading' && doneBytes > 0)).toBe(true);
      expect((await puller.listImages()).map(({ name }) => name)).toEqual([reference]);
      expect(await trusting.ctr('leases', 'list', '--quiet')).toBe('');
    } else {
      expect((await failure(pulling)).code).toBe('registry-tls-failed');
    }
  });
});

describe('registries', () => {
  it('with TLS need the certificate of their authority', async () => {
    const secure = await startPrivateRegistry({ isTls: true });
    closers.push(() => secure.dispose());
    await secure.push('team/app', '1', app);
    const request = { reference: `${secure.host}/team/app:1` };
    const unknown = await failure(
      pullerWith({ [secure.host]: { plainHttp: false } }).prepareImage(request, { signal: signal() }),
    );
    expect(unknown.code).toBe('registry-tls-failed');
    expect(unknown.message).toContain(`registries.${secure.host}.caFile`);
    const { caPem = '' } = secure;
    const image = await pullerWith({ [secure.host]: { caPem } }).prepareImage(request, { signal: signal() });
    expect(image.digest).toBe(app.digest);
  });

  it('with users need credentials, from the settings or the request', async () => {
    const closed = await startPrivateRegistry({ hasUsers: true });
    closers.push(() => closed.dispose());
    await closed.push('team/app', '1', app);
    const reference = `${closed.host}/team/app:1`;
    const without = await failure(pullerWith().prepareImage({ reference }, { signal: signal() }));
    expect(without).toMatchObject({ code: 'registry-unauthorized', details: { hasCredentials: false } });
    const wrong = { username: 'ann', password: new Sensitive('wrong') };
    const refused = await failure(
      pullerWith().prepareImage({ reference, credentials: wrong }, { signal: signal() }),
    );
    expect(refused).toMatchObject({ code: 'registry-unauthorized', details: { hasCredentials: true } });
    const right = { username: 'ann', password: new Sensitive('s3cret') };
    const image = await pullerWith().prepareImage({ reference, credentials: right }, { signal: signal() });
    expect(image.digest).toBe(app.digest);
    await pullerWith({ [closed.host]: { credentials: right } }).prepareImage(
      { reference },
      { signal: signal() },
    );
  });

  it('that are down or lack the image are named', async () => {
    const missing = await failure(
      pullerWith().prepareImage({ reference: `${registry.host}/team/none:1` }, { signal: signal() }),
    );
    expect(missing).toMatchObject({
      code: 'image-not-found',
      message: expect.stringContaining('team/none:1'),
    });
    const nobody = `127.0.0.1:${await freePort()}`;
    const down = await failure(
      pullerWith().prepareImage({ reference: `${nobody}/x:1` }, { signal: signal() }),
    );
    expect(down).toMatchObject({ code: 'registry-unreachable', message: expect.stringContaining(nobody) });
  });
});

describe('images that cannot be used', () => {
  it('are refused when a layer is no archive', async () => {
    await registry.push('team/noise', '1', largeImage(1));
    const error = await failure(
      pullerWith().prepareImage({ reference: `${registry.host}/team/noise:1` }, { signal: signal() }),
    );
    expect(error).toMatchObject({
      code: 'image-invalid',
      message: expect.stringContaining('cannot be unpacked'),
    });
  });

  it('are refused when a layer is not what the configuration says', async () => {
    const lying = imageOf([{ ...middle, tar: Buffer.from('something else') }]);
    await registry.push('team/lying', '1', lying);
    const error = await failure(
      pullerWith().prepareImage({ reference: `${registry.host}/team/lying:1` }, { signal: signal() }),
    );
    expect(error).toMatchObject({
      code: 'image-invalid',
      message: expect.stringContaining('contradicts itself'),
    });
    expect((await remains()).snapshots).toBe('');
  });
});

describe('removeImage', () => {
  it('frees an image, but not what another one shares with it', async () => {
    await registry.push('team/one', '1', imageOf([base, middle]));
    await registry.push('team/two', '1', imageOf([base, top]));
    const puller = pullerWith();
    const one = await puller.prepareImage({ reference: `${registry.host}/team/one:1` }, { signal: signal() });
    const two = await puller.prepareImage({ reference: `${registry.host}/team/two:1` }, { signal: signal() });
    expect((await puller.listImages()).map(({ name }) => name).sort()).toEqual(
      [
        one.pinnedReference,
        two.pinnedReference,
        `${registry.host}/team/one:1`,
        `${registry.host}/team/two:1`,
      ].sort(),
    );
    expect(await puller.removeImage(`${registry.host}/team/one:1`)).toBe(true);
    expect(await puller.removeImage(`${registry.host}/team/one:1`)).toBe(false);
    const { snapshots } = await remains();
    expect(snapshots).not.toContain(one.chainId);
    expect(snapshots).toContain(two.chainId);
    expect(await fileOf(two.chainId, 'srv/index.html')).toBe('hello');
  });
});
