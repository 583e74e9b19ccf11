import { describe, expect, it } from 'vitest';
import { chainIds, parseImageConfig, stopSignalOf } from './image-config.ts';
import { parseManifest, sha256Digest, verifyDigest } from './manifest.ts';
import { layerKind } from './media-types.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const bytes = (document: unknown) => Buffer.from(JSON.stringify(document));
const CONFIG = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest('c'), size: 2 };
const LAYER = { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest: digest('a'), size: 10 };
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

describe('parseManifest', () => {
  it('reads the manifest of an image', () => {
    const manifest = parseManifest(
      bytes({ schemaVersion: 2, config: CONFIG, layers: [LAYER] }),
      MANIFEST_TYPE,
      'x',
    );
    expect(manifest).toEqual({
      kind: 'image',
      mediaType: MANIFEST_TYPE,
      config: CONFIG,
      layers: [{ ...LAYER, compression: 'zstd' }],
    });
  });

  it('recognises an index that is served as plain JSON', () => {
    const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
    const entry = { mediaType: MANIFEST_TYPE, digest: digest('b'), size: 3, platform };
    expect(
      parseManifest(bytes({ manifests: [entry] }), 'application/json; charset=utf-8', 'x'),
    ).toMatchObject({
      kind: 'index',
      entries: [entry],
    });
  });

  it.each([
    ['schema 1', { schemaVersion: 1, history: [] }, 'image-unsupported', /schema 1/],
    [
      'an artifact',
      { config: { ...CONFIG, mediaType: 'application/vnd.cncf.helm.config.v1+json' }, layers: [] },
      'image-unsupported',
      /artifact/,
    ],
    [
      'a foreign layer',
      {
        config: CONFIG,
        layers: [{ ...LAYER, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }],
      },
      'image-unsupported',
      /may not hand it on/,
    ],
    [
      'a nondistributable layer',
      {
        config: CONFIG,
        layers: [{ ...LAYER, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar' }],
      },
      'image-unsupported',
      /may not hand it on/,
    ],
    [
      'an encrypted layer',
      {
        config: CONFIG,
        layers: [{ ...LAYER, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted' }],
      },
      'image-unsupported',
      /cannot unpack/,
    ],
    [
      'a path in place of a digest',
      { config: { ...CONFIG, digest: '../../etc/passwd' }, layers: [] },
      'image-invalid',
      /config.digest/,
    ],
    [
      'a negative size',
      { config: CONFIG, layers: [{ ...LAYER, size: -1 }] },
      'image-invalid',
      /layers\[0\].size/,
    ],
    ['no layers', { config: CONFIG }, 'image-unsupported', /no container image/],
  ])('refuses %s', (_, document, code, message) => {
    const type = 'config' in document && 'layers' in document ? MANIFEST_TYPE : 'application/json';
    const parse = () => parseManifest(bytes(document), type, 'app:1');
    expect(parse).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
    expect(parse).toThrow(/app:1/);
  });

  it('refuses what is no JSON', () => {
    expect(() => parseManifest(Buffer.from('<html>'), MANIFEST_TYPE, 'x')).toThrow(/is no JSON/);
  });
});

describe('verifyDigest', () => {
  it('accepts the content and nothing else', () => {
    const content = Buffer.from('content');
    verifyDigest(content, sha256Digest(content), 'It');
    expect(() => verifyDigest(Buffer.from('contents'), sha256Digest(content), 'It')).toThrow(
      /It was damaged/,
    );
  });
});

describe('parseImageConfig', () => {
  it('reads a configuration that Docker wrote', () => {
    const config = parseImageConfig(
      bytes({
        architecture: 'arm',
        variant: 'v7',
        os: 'linux',
        container_config: { Cmd: ['ignored'] },
        config: {
          User: 'www:www',
          Env: ['A=1'],
          Entrypoint: null,
          Cmd: ['nginx', '-g', 'daemon off;'],
          WorkingDir: '/srv',
          StopSignal: 'SIGQUIT',
          Labels: { a: 'b' },
        },
        rootfs: { type: 'layers', diff_ids: [digest('1')] },
      }),
      'x',
    );
    expect(config).toEqual({
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
      diffIds: [digest('1')],
      oci: {
        architecture: 'arm',
        os: 'linux',
        config: {
          User: 'www:www',
          Env: ['A=1'],
          Entrypoint: null,
          Cmd: ['nginx', '-g', 'daemon off;'],
          WorkingDir: '/srv',
          StopSignal: 'SIGQUIT',
        },
      },
    });
  });

  it.each([
    [{ rootfs: { diff_ids: ['nonsense'] } }, /diff_ids/],
    [{ config: { Env: [1] } }, /config.Env/],
    [{ config: { User: 7 } }, /config.User/],
    [null, /no object/],
  ])('refuses %j', (document, reason) => {
    expect(() => parseImageConfig(bytes(document), 'x')).toThrow(reason);
  });
});

describe('stopSignalOf', () => {
  it.each([
    [undefined, 'SIGTERM'],
    ['SIGQUIT', 'SIGQUIT'],
    ['int', 'SIGINT'],
    ['9', '9'],
    ['', 'SIGTERM'],
  ])('understands %j as %s', (written, signal) => {
    expect(stopSignalOf({ config: written === undefined ? {} : { StopSignal: written } })).toBe(signal);
  });
});

describe('chainIds', () => {
  it('names stacks as the specification says', () => {
    // `printf 'sha256:1… sha256:2…' | sha256sum`
    const [lowest, upper] = chainIds([digest('1'), digest('2')]);
    expect(lowest).toBe(digest('1'));
    expect(upper).toBe(sha256Digest(Buffer.from(`${digest('1')} ${digest('2')}`)));
    expect(chainIds([])).toEqual([]);
  });
});

describe('layerKind', () => {
  it('knows the layers of both families', () => {
    expect(layerKind('application/vnd.docker.image.rootfs.diff.tar.gzip')).toEqual({
      kind: 'layer',
      compression: 'gzip',
    });
    expect(layerKind('application/vnd.oci.image.layer.v1.tar')).toEqual({
      kind: 'layer',
      compression: 'none',
    });
    expect(layerKind('text/plain')).toEqual({ kind: 'unknown' });
  });
});
