import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { sha256Digest } from '../../../images/manifest.ts';

const run = promisify(execFile);

/** Content of an image, ready to be pushed or served. */
export interface TestImage {
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifest: Buffer;
  readonly manifestType: string;
  readonly digest: string;
}

export interface TestLayer {
  readonly tar: Buffer;
  readonly compressed: Buffer;
  readonly mediaType: string;
}

const OCI = 'application/vnd.oci.image';
const OCI_MANIFEST = `${OCI}.manifest.v1+json`;
const OCI_INDEX = `${OCI}.index.v1+json`;
const DOCKER = 'application/vnd.docker';
export const DOCKER_MANIFEST = `${DOCKER}.distribution.manifest.v2+json`;

export type Compression = 'none' | 'gzip' | 'zstd';

export async function layerOf(
  tar: Buffer,
  compression: Compression,
  family: 'oci' | 'docker' = 'oci',
): Promise<TestLayer> {
  const base = family === 'oci' ? `${OCI}.layer.v1.tar` : `${DOCKER}.image.rootfs.diff.tar`;
  const joint = family === 'oci' ? '+' : '.';
  if (compression === 'none') return { tar, compressed: tar, mediaType: base };
  const compressed = compression === 'gzip' ? gzipSync(tar) : await zstd(tar);
  return { tar, compressed, mediaType: `${base}${joint}${compression}` };
}

export function imageOf(
  layers: readonly TestLayer[],
  options: {
    readonly config?: Readonly<Record<string, unknown>>;
    readonly architecture?: string;
    readonly variant?: string;
    readonly family?: 'oci' | 'docker';
  } = {},
): TestImage {
  const isDocker = options.family === 'docker';
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, bytes: Buffer) => {
    const digest = sha256Digest(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const config = add(
    isDocker ? `${DOCKER}.container.image.v1+json` : `${OCI}.config.v1+json`,
    json({
      architecture: options.architecture ?? 'amd64',
      ...(options.variant === undefined ? {} : { variant: options.variant }),
      os: 'linux',
      config: options.config ?? {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ tar }) => sha256Digest(tar)) },
    }),
  );
  const manifestType = isDocker ? DOCKER_MANIFEST : OCI_MANIFEST;
  const manifest = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config,
    layers: layers.map(({ mediaType, compressed }) => add(mediaType, compressed)),
  });
  return { blobs, manifest, manifestType, digest: sha256Digest(manifest) };
}

/** An index over images; each is given with its platform. */
export function indexOf(
  entries: readonly { readonly image: TestImage; readonly platform: Record<string, string> }[],
) {
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: entries.map(({ image, platform }) => ({
      mediaType: image.manifestType,
      digest: image.digest,
      size: image.manifest.length,
      platform,
    })),
  });
  return { manifest, manifestType: OCI_INDEX, digest: sha256Digest(manifest) };
}

/** Packs files with the system's tar; a text is the content of a file, `{ copy }` a file of this host. */
export async function tarOf(
  files: Readonly<Record<string, string | { readonly copy: string }>>,
): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'oakestra-layer-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      const target = join(directory, path);
      await mkdir(dirname(target), { recursive: true });
      if (typeof content === 'string') await writeFile(target, content);
      else {
        await copyFile(content.copy, target);
        await chmod(target, 0o755);
      }
    }
    const args = [
      '--sort=name',
      '--mtime=@0',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '-C',
      directory,
      '-cf',
      '-',
      '.',
    ];
    const { stdout } = await run('tar', args, { encoding: 'buffer', maxBuffer: 512 * 1024 * 1024 });
    return stdout;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function zstd(bytes: Buffer): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'oakestra-zstd-'));
  try {
    const file = join(directory, 'layer.tar');
    await writeFile(file, bytes);
    const { stdout } = await run('zstd', ['-q', '-c', file], {
      encoding: 'buffer',
      maxBuffer: 512 * 1024 * 1024,
    });
    return stdout;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function json(document: unknown): Buffer {
  return Buffer.from(JSON.stringify(document), 'utf8');
}
