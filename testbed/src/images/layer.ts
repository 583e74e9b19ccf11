import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { type FileTree, fingerprintOf, writeTree } from './file-tree.ts';
import type { LayerBlob, LayerCompression } from './oci.ts';

/** Bump when equal trees would give other bytes than before: old cache entries are then left alone. */
const CACHE_FORMAT = 1;

/** Where the blob with this digest lies in a cache or image layout. */
export function blobPath(directory: string, digest: string): string {
  return join(directory, 'blobs', ...digest.split(':'));
}

/**
 * Packs a tree into a layer below `cacheDirectory`. The same tree gives the same bytes, on any machine with the same
 * tar and compressor; a tree packed before is not packed again.
 */
export async function packLayer(
  tree: FileTree,
  compression: LayerCompression,
  cacheDirectory: string,
): Promise<LayerBlob> {
  const fingerprint = await fingerprintOf(tree);
  const known = join(cacheDirectory, 'layers', `v${CACHE_FORMAT}-${fingerprint}-${compression}.json`);
  const cached = await readCached(known, cacheDirectory);
  if (cached) return cached;
  await mkdir(join(cacheDirectory, 'layers'), { recursive: true });
  await mkdir(join(cacheDirectory, 'blobs', 'sha256'), { recursive: true });
  const work = await mkdtemp(join(cacheDirectory, 'packing-'));
  try {
    const layer = await pack(tree, compression, work, cacheDirectory);
    const record = join(work, 'record.json');
    await writeFile(record, JSON.stringify(layer));
    await rename(record, known);
    return layer;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function readCached(known: string, cacheDirectory: string): Promise<LayerBlob | undefined> {
  try {
    const layer = JSON.parse(await readFile(known, 'utf8')) as LayerBlob;
    const { size } = await stat(blobPath(cacheDirectory, layer.digest));
    return size === layer.sizeBytes ? layer : undefined;
  } catch {
    return undefined;
  }
}

async function pack(
  tree: FileTree,
  compression: LayerCompression,
  work: string,
  cacheDirectory: string,
): Promise<LayerBlob> {
  const root = join(work, 'root');
  const tar = join(work, 'layer.tar');
  await mkdir(root, { mode: 0o755 });
  await writeTree(tree, root);
  await tool('tar', [
    '--create',
    `--file=${tar}`,
    `--directory=${root}`,
    '--format=gnu',
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    ...Object.keys(groupByTop(tree)),
  ]);
  const diffId = await digestOfFile(tar);
  const packed = await compress(tar, compression);
  const digest = compression === 'none' ? diffId : await digestOfFile(packed);
  const { size: sizeBytes } = await stat(packed);
  await rename(packed, blobPath(cacheDirectory, digest));
  return { compression, digest, sizeBytes, diffId };
}

/** The root folder itself is no part of a layer. */
function groupByTop(tree: FileTree): Record<string, true> {
  const tops = Object.keys(tree)
    .sort()
    .map((path) => [path.split('/')[0] as string, true] as const);
  return Object.fromEntries(tops);
}

async function compress(tar: string, compression: LayerCompression): Promise<string> {
  switch (compression) {
    case 'none':
      return tar;
    case 'gzip':
      await tool('gzip', ['--no-name', '--best', '--force', tar]);
      return `${tar}.gz`;
    case 'zstd':
      await tool('zstd', ['--quiet', '-12', '--single-thread', '--rm', tar]);
      return `${tar}.zst`;
  }
}

async function digestOfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

function tool(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const fail = (why: string) =>
      reject(
        new OakestraError(
          'internal',
          'image-not-built',
          `An image layer could not be packed: ${command} ${why}`,
        ),
      );
    child.on('error', (error) =>
      fail(`could not be started (${error.message}); install the package ${command}`),
    );
    child.on('close', (code) => (code === 0 ? resolve() : fail(`ended with code ${code}: ${said.trim()}`)));
  });
}
