import { createHash } from 'node:crypto';

/** The documents of the OCI image specification, as far as we write them. Pure. */

export const MEDIA_TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
} as const;

export type LayerCompression = 'none' | 'gzip' | 'zstd';

const LAYER_MEDIA_TYPES: Readonly<Record<LayerCompression, string>> = {
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
};

export interface Platform {
  readonly os: 'linux';
  readonly architecture: 'amd64' | 'arm64';
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A layer as a blob. */
export interface LayerBlob {
  readonly compression: LayerCompression;
  readonly digest: string;
  readonly sizeBytes: number;
  /** Digest of the layer before compression. */
  readonly diffId: string;
}

/** What a container of the image runs, as a Dockerfile would say it. */
export interface ImageSettings {
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** `NAME=value`; a PATH is added when there is none. */
  readonly environment?: readonly string[];
  /** `user`, `uid` or `uid:gid`; default root. */
  readonly user?: string;
  readonly workingDirectory?: string;
  /** Such as `8080/tcp`. */
  readonly exposedPorts?: readonly string[];
  /** Such as `SIGQUIT`; default: none, which means SIGTERM. */
  readonly stopSignal?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Document {
  readonly descriptor: Descriptor;
  readonly content: Buffer;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `sha256:…` of some content. */
export function digestOf(content: Buffer | string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** The platform of this machine. */
export function hostPlatform(architecture: string = process.arch): Platform {
  return { os: 'linux', architecture: architecture === 'arm64' ? 'arm64' : 'amd64' };
}

export function imageConfig(
  platform: Platform,
  layers: readonly LayerBlob[],
  settings: ImageSettings,
): Document {
  const environment = settings.environment ?? [];
  const hasPath = environment.some((entry) => entry.startsWith('PATH='));
  return jsonDocument(MEDIA_TYPES.config, {
    created: '1970-01-01T00:00:00Z',
    architecture: platform.architecture,
    os: platform.os,
    config: {
      ...(settings.user === undefined ? {} : { User: settings.user }),
      ...(settings.exposedPorts && {
        ExposedPorts: Object.fromEntries(settings.exposedPorts.map((port) => [port, {}])),
      }),
      Env: hasPath ? environment : [DEFAULT_PATH, ...environment],
      ...(settings.entrypoint && { Entrypoint: settings.entrypoint }),
      ...(settings.command && { Cmd: settings.command }),
      ...(settings.workingDirectory === undefined ? {} : { WorkingDir: settings.workingDirectory }),
      ...(settings.labels && { Labels: settings.labels }),
      ...(settings.stopSignal === undefined ? {} : { StopSignal: settings.stopSignal }),
    },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((_, index) => ({
      created: '1970-01-01T00:00:00Z',
      created_by: `layer ${index + 1} of ${layers.length}`,
    })),
  });
}

export function imageManifest(config: Descriptor, layers: readonly LayerBlob[]): Document {
  return jsonDocument(MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config,
    layers: layers.map((layer) => ({
      mediaType: LAYER_MEDIA_TYPES[layer.compression],
      digest: layer.digest,
      size: layer.sizeBytes,
    })),
  });
}

/** A multi-architecture image: its manifests must say their platform. */
export function imageIndex(manifests: readonly Descriptor[]): Document {
  return jsonDocument(MEDIA_TYPES.index, { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests });
}

function jsonDocument(mediaType: string, value: unknown): Document {
  const content = Buffer.from(JSON.stringify(value));
  return { content, descriptor: { mediaType, digest: digestOf(content), size: content.length } };
}
