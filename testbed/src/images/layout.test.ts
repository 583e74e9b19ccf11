import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileTree, fingerprintOf } from './file-tree.ts';
import { blobPath, packLayer } from './layer.ts';
import { buildImage } from './layout.ts';

const tree: FileTree = {
  'z/last': { kind: 'file', content: 'last', mode: 0o600 },
  'a/script': { kind: 'file', content: '#!/bin/sh\n', mode: 0o755 },
  'a/link': { kind: 'link', target: 'script' },
  tmp: { kind: 'directory', mode: 0o1777 },
};
const amd64 = { os: 'linux', architecture: 'amd64' } as const;

describe('building images', () => {
  let cache: string;
  let otherCache: string;
  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'oakestra-images-'));
    otherCache = await mkdtemp(join(tmpdir(), 'oakestra-images-'));
  });
  afterEach(async () => {
    for (const folder of [cache, otherCache]) await rm(folder, { recursive: true, force: true });
  });

  it('gives the same bytes every time, whatever order the tree is in and whatever the umask is', async () => {
    const one = await packLayer(tree, 'gzip', cache);
    const previous = process.umask(0o077);
    try {
      const shuffled = Object.fromEntries(Object.entries(tree).reverse());
      expect(await packLayer(shuffled, 'gzip', otherCache)).toEqual(one);
    } finally {
      process.umask(previous);
    }
    const listing = execFileSync('tar', ['-tvf', blobPath(cache, one.digest), '--numeric-owner', '--utc'], {
      encoding: 'utf8',
    });
    expect(listing.trim().split('\n')).toEqual([
      'drwxr-xr-x 0/0               0 1970-01-01 00:00 a/',
      'lrwxrwxrwx 0/0               0 1970-01-01 00:00 a/link -> script',
      '-rwxr-xr-x 0/0              10 1970-01-01 00:00 a/script',
      'drwxrwxrwt 0/0               0 1970-01-01 00:00 tmp/',
      'drwxr-xr-x 0/0               0 1970-01-01 00:00 z/',
      '-rw------- 0/0               4 1970-01-01 00:00 z/last',
    ]);
  });

  it('names each compression by the digest of its bytes and the same content below', async () => {
    const layers = await Promise.all(
      (['none', 'gzip', 'zstd'] as const).map((kind) => packLayer(tree, kind, cache)),
    );
    expect(new Set(layers.map((layer) => layer.diffId)).size).toBe(1);
    expect(new Set(layers.map((layer) => layer.digest)).size).toBe(3);
    for (const layer of layers) {
      const blob = await readFile(blobPath(cache, layer.digest));
      expect(`sha256:${createHash('sha256').update(blob).digest('hex')}`).toBe(layer.digest);
      expect(blob.length).toBe(layer.sizeBytes);
    }
    expect(layers[0]?.digest).toBe(layers[0]?.diffId);
  });

  it('packs a known tree only once, and again when its blob is damaged', async () => {
    const layer = await packLayer(tree, 'gzip', cache);
    const file = blobPath(cache, layer.digest);
    await utimes(file, 1, 1);
    await packLayer(tree, 'gzip', cache);
    expect((await stat(file)).mtimeMs).toBe(1_000);
    await rm(file);
    expect(await packLayer(tree, 'gzip', cache)).toEqual(layer);
    expect((await stat(file)).size).toBe(layer.sizeBytes);
    expect((await readdir(cache)).filter((name) => name.startsWith('packing'))).toEqual([]);
  });

  it('tells trees apart by path, mode and content', async () => {
    const base = { a: { kind: 'file', content: 'x' } } as const;
    const variants: FileTree[] = [
      base,
      { b: base.a },
      { a: { ...base.a, mode: 0o600 } },
      { a: { kind: 'file', content: 'y' } },
      { a: { kind: 'link', target: 'x' } },
      { a: { kind: 'directory' } },
    ];
    const prints = await Promise.all(variants.map(fingerprintOf));
    expect(new Set(prints).size).toBe(variants.length);
  });

  it('writes a complete image layout, for one platform and for several', async () => {
    const spec = { platform: amd64, layers: [{ tree }], settings: { command: ['/a/script'] } };
    const arm64 = { ...spec, platform: { os: 'linux', architecture: 'arm64' } as const };
    const single = await buildImage('single', [spec], cache);
    const multi = await buildImage('multi', [spec, arm64], cache);
    expect(multi.manifests[0]?.descriptor).toEqual(single.top);
    for (const layout of [single, multi]) {
      expect(JSON.parse(await readFile(join(layout.directory, 'oci-layout'), 'utf8'))).toEqual({
        imageLayoutVersion: '1.0.0',
      });
      const index = JSON.parse(await readFile(join(layout.directory, 'index.json'), 'utf8'));
      expect(index.manifests).toEqual([layout.top]);
      const names = await readdir(join(layout.directory, 'blobs', 'sha256'));
      const referenced = layout.manifests.flatMap(({ descriptor, blobs }) => [descriptor, ...blobs]);
      expect(new Set(names)).toEqual(new Set([layout.top, ...referenced].map((one) => one.digest.slice(7))));
      for (const { digest, size } of referenced)
        expect((await stat(blobPath(layout.directory, digest))).size).toBe(size);
    }
    const again = await Promise.all([
      buildImage('multi', [spec, arm64], cache),
      buildImage('multi', [spec, arm64], cache),
    ]);
    expect(again).toEqual([multi, multi]);
  });

  it('repairs a layout that lost a file', async () => {
    const spec = { platform: amd64, layers: [{ tree }], settings: {} };
    const layout = await buildImage('image', [spec], cache);
    await rm(blobPath(layout.directory, layout.top.digest));
    await buildImage('image', [spec], cache);
    expect((await stat(blobPath(layout.directory, layout.top.digest))).size).toBe(layout.top.size);
  });
});
