import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { OciImageConfig, PreparedImage } from '../prepared-image.ts';
import { type TarEntry, tarOf } from './tar.ts';

const applets = [
  'sh',
  'sleep',
  'echo',
  'cat',
  'id',
  'true',
  'false',
  'kill',
  'touch',
  'ls',
  'env',
  'hostname',
  'dd',
  'awk',
  'ulimit',
  'readlink',
  'ip',
  'stat',
];

export interface TestImage {
  /** An OCI layout that `ctr images import` takes. */
  readonly archive: Buffer;
  readonly prepared: PreparedImage;
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** The two layers of an image made of a static busybox and two users. */
async function layersOf(): Promise<readonly Buffer[]> {
  const base: TarEntry[] = [
    { path: 'bin', isDirectory: true },
    { path: 'bin/busybox', mode: 0o755, content: await readFile('/bin/busybox') },
    ...applets.map((name) => ({ path: `bin/${name}`, linkTo: 'busybox' })),
    { path: 'etc', isDirectory: true },
    { path: 'tmp', isDirectory: true, mode: 0o1777 },
    { path: 'etc/passwd', content: 'root:x:0:0::/root:/bin/sh\nold:x:1:1::/:/bin/sh\n' },
    { path: 'etc/motd', content: 'not a program\n' },
  ];
  const upper: TarEntry[] = [
    { path: 'etc', isDirectory: true },
    { path: 'etc/passwd', content: 'root:x:0:0::/root:/bin/sh\nana:x:1234:4321::/home/ana:/bin/sh\n' },
    { path: 'etc/group', content: 'root:x:0:\nana:x:4321:\ncrew:x:555:ana,ben\n' },
  ];
  return [tarOf(base), tarOf(upper)];
}

/** An image named `name` with this process configuration. */
export async function buildTestImage(
  name: string,
  config: NonNullable<OciImageConfig['config']>,
): Promise<TestImage> {
  const layers = await layersOf();
  const diffIds = layers.map(digestOf);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const configJson = { architecture, os: 'linux', config, rootfs: { type: 'layers', diff_ids: diffIds } };
  const configBytes = Buffer.from(JSON.stringify(configJson));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptor('application/vnd.oci.image.config.v1+json', configBytes),
      layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar', layer)),
    }),
  );
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: { 'io.containerd.image.name': name },
      },
    ],
  };
  const blobs = [configBytes, manifest, ...layers].map((bytes) => ({
    path: `blobs/sha256/${digestOf(bytes).slice(7)}`,
    content: bytes,
  }));
  const archive = tarOf([
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: JSON.stringify(index) },
    ...blobs,
  ]);
  return {
    archive,
    prepared: {
      pinnedReference: `${name.split(':', 1)[0]}@${digestOf(manifest)}`,
      digest: digestOf(manifest),
      stopSignal: config.StopSignal ?? 'SIGTERM',
      config: configJson,
      chainId: diffIds.reduce((chain, diffId) => digestOf(Buffer.from(`${chain} ${diffId}`))),
    },
  };
}

function descriptor(mediaType: string, bytes: Buffer) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}
