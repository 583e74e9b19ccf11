import { createHash } from 'node:crypto';
import { messageOf } from '@oakestra/contracts';
import { imageError } from './image-errors.ts';
import {
  isConfigType,
  isIndexType,
  isManifestType,
  isSchema1,
  type LayerCompression,
  layerKind,
  MANIFEST_TYPES,
} from './media-types.ts';
import type { Platform } from './platform.ts';

/** Points to content by what it is. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

export interface IndexEntry extends Descriptor {
  readonly platform?: Platform;
}

export interface LayerDescriptor extends Descriptor {
  readonly compression: LayerCompression;
}

export type Manifest = {
  /** As the document itself says, or as it must be understood. */
  readonly mediaType: string;
} & (
  | { readonly kind: 'index'; readonly entries: readonly IndexEntry[] }
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly LayerDescriptor[] }
);

/** Manifests and configurations are small; more than this is refused before it fills memory. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function sha256Digest(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/**
 * Reads a manifest or an index. `mediaType` is what the registry or a descriptor called it; the document's own
 * word wins where both are known. Fails with `image-unsupported` or `image-invalid`.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string, imageName: string): Manifest {
  const document = asRecord(parseJson(bytes, imageName), 'the document', imageName);
  const type = manifestTypeOf(document, mediaType);
  if (isSchema1(type) || document.schemaVersion === 1) {
    throw imageError(
      'image-unsupported',
      `Image ${imageName} has a manifest of Docker's old format (schema 1), which cannot be verified. ` +
        'Push it again with a current tool',
      { details: { mediaType: type } },
    );
  }
  if (isIndexType(type))
    return { kind: 'index', mediaType: type, entries: parseEntries(document, imageName) };
  if (isManifestType(type)) return parseImageManifest(document, type, imageName);
  throw imageError(
    'image-unsupported',
    `Image ${imageName} has a manifest of type "${type}", which is no container image that we can run`,
    { details: { mediaType: type } },
  );
}

/** Reads JSON of an image; fails with `image-invalid`. */
export function parseJson(bytes: Uint8Array, imageName: string): unknown {
  try {
    return JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    ) as unknown;
  } catch (error) {
    throw corrupt(imageName, `is no JSON: ${messageOf(error)}`);
  }
}

/** Checks content against the digest that it was asked by; fails with `image-invalid`. */
export function verifyDigest(bytes: Uint8Array, digest: string, what: string): void {
  const actual = sha256Digest(bytes);
  if (actual === digest) return;
  throw imageError(
    'image-invalid',
    `${what} was damaged on its way or replaced: its content has digest ${actual} instead of ${digest}`,
    { details: { expected: digest, actual } },
  );
}

export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

function manifestTypeOf(document: Record<string, unknown>, mediaType: string): string {
  const own = document.mediaType;
  if (typeof own === 'string' && own !== '') return own;
  const bare = mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (isIndexType(bare) || isManifestType(bare) || isSchema1(bare)) return bare;
  // OCI documents may leave out their type, and some servers call everything JSON.
  if (Array.isArray(document.manifests)) return MANIFEST_TYPES.ociIndex;
  if (document.config !== undefined && Array.isArray(document.layers)) return MANIFEST_TYPES.ociManifest;
  return bare;
}

function parseEntries(document: Record<string, unknown>, imageName: string): IndexEntry[] {
  return asArray(document.manifests, 'manifests', imageName).map((item, i) => {
    const entry = asRecord(item, `manifests[${i}]`, imageName);
    const descriptor = parseDescriptor(entry, `manifests[${i}]`, imageName);
    const platform = entry.platform;
    if (typeof platform !== 'object' || platform === null) return descriptor;
    const { os, architecture, variant } = platform as Record<string, unknown>;
    return {
      ...descriptor,
      platform: {
        os: String(os ?? ''),
        architecture: String(architecture ?? ''),
        ...(typeof variant === 'string' && variant !== '' ? { variant } : {}),
      },
    };
  });
}

function parseImageManifest(
  document: Record<string, unknown>,
  mediaType: string,
  imageName: string,
): Manifest {
  const config = parseDescriptor(asRecord(document.config, 'config', imageName), 'config', imageName);
  if (!isConfigType(config.mediaType)) {
    throw imageError(
      'image-unsupported',
      `Image ${imageName} holds "${config.mediaType}": this is an artifact and no container image`,
      { details: { mediaType: config.mediaType } },
    );
  }
  const layers = asArray(document.layers, 'layers', imageName).map((item, i) => {
    const descriptor = parseDescriptor(asRecord(item, `layers[${i}]`, imageName), `layers[${i}]`, imageName);
    const kind = layerKind(descriptor.mediaType);
    if (kind.kind === 'layer') return { ...descriptor, compression: kind.compression };
    const why = kind.kind === 'foreign' ? 'registries may not hand it on' : 'we cannot unpack it';
    throw imageError(
      'image-unsupported',
      `Image ${imageName} has a layer of type "${descriptor.mediaType}"; ${why}`,
      { details: { mediaType: descriptor.mediaType } },
    );
  });
  return { kind: 'image', mediaType, config, layers };
}

function parseDescriptor(item: Record<string, unknown>, path: string, imageName: string): Descriptor {
  const { mediaType, digest, size } = item;
  if (typeof digest !== 'string' || !isDigest(digest))
    throw corrupt(imageName, `has no valid ${path}.digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw corrupt(imageName, `has no valid ${path}.size`);
  }
  return { mediaType: typeof mediaType === 'string' ? mediaType : '', digest, size };
}

function asRecord(value: unknown, path: string, imageName: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw corrupt(imageName, `has no object at ${path}`);
}

function asArray(value: unknown, path: string, imageName: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw corrupt(imageName, `has no list at ${path}`);
}

function corrupt(imageName: string, reason: string): Error {
  return imageError('image-invalid', `The manifest of image ${imageName} ${reason}`);
}
