import { type ImageConfig, parseImageConfig } from '../../images/image-config.ts';
import { imageError } from '../../images/image-errors.ts';
import {
  type Descriptor,
  type IndexEntry,
  type LayerDescriptor,
  parseManifest,
} from '../../images/manifest.ts';
import { choosePlatform, formatPlatform, type Platform, platformDistance } from '../../images/platform.ts';

/** An index on the way to an image, and which of its entries was taken. */
interface ChosenEntry {
  readonly index: Descriptor;
  readonly position: number;
  readonly entry: Descriptor;
}

/** The documents of one image for one platform. */
export interface ImageTree {
  /** What the walk began with, its type and size as found. */
  readonly root: Descriptor;
  /** From the root down; empty when the image has no index. */
  readonly choices: readonly ChosenEntry[];
  readonly manifest: Descriptor;
  readonly configDescriptor: Descriptor;
  readonly config: ImageConfig;
  readonly layers: readonly LayerDescriptor[];
}

export interface TreeRequest {
  readonly root: Descriptor;
  readonly platform: Platform;
  /** As the user knows it, for messages. */
  readonly imageName: string;
  /** Gives a document by its digest, from wherever it is; undefined ends the walk. */
  readonly load: (descriptor: Descriptor, kind: 'manifest' | 'config') => Promise<Uint8Array | undefined>;
}

/** An index may point to an index; more than this is a mistake or an attack. */
const MAX_DEPTH = 4;

/**
 * Walks from a digest to the configuration and layers for a platform. Undefined when `load` lacks a document;
 * fails with `image-platform-missing`, `image-unsupported` or `image-invalid`.
 */
export async function readImageTree(request: TreeRequest): Promise<ImageTree | undefined> {
  const { root, platform, imageName, load } = request;
  const choices: ChosenEntry[] = [];
  let descriptor = root;
  let foundRoot: Descriptor | undefined;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const bytes = await load(descriptor, 'manifest');
    if (bytes === undefined) return undefined;
    const manifest = parseManifest(bytes, descriptor.mediaType, imageName);
    descriptor = { mediaType: manifest.mediaType, digest: descriptor.digest, size: bytes.length };
    foundRoot ??= descriptor;
    if (manifest.kind === 'image') {
      const configBytes = await load(manifest.config, 'config');
      if (configBytes === undefined) return undefined;
      const config = parseImageConfig(configBytes, imageName);
      checkTree(config, manifest.layers, request);
      return {
        root: foundRoot,
        choices,
        manifest: descriptor,
        configDescriptor: manifest.config,
        config,
        layers: manifest.layers,
      };
    }
    const entry: IndexEntry = choosePlatform(manifest.entries, platform, imageName);
    choices.push({ index: descriptor, position: manifest.entries.indexOf(entry), entry });
    descriptor = { mediaType: entry.mediaType, digest: entry.digest, size: entry.size };
  }
  throw imageError(
    'image-invalid',
    `Image ${imageName} has indexes within indexes, more than ${MAX_DEPTH} deep`,
  );
}

function checkTree(
  config: ImageConfig,
  layers: readonly LayerDescriptor[],
  { platform, imageName }: TreeRequest,
): void {
  if (config.diffIds.length !== layers.length) {
    throw imageError(
      'image-invalid',
      `Image ${imageName} contradicts itself: its manifest has ${layers.length} layers, its configuration ` +
        `${config.diffIds.length}. Push it again`,
    );
  }
  // Images of old builders do not say what they are for.
  if (config.platform.architecture === '' || platformDistance(platform, config.platform) !== undefined)
    return;
  throw imageError(
    'image-platform-missing',
    `Image ${imageName} is built for ${formatPlatform(config.platform)} and cannot run on ${formatPlatform(platform)}. ` +
      'Choose another image or place the service on a fitting worker',
    { details: { wanted: formatPlatform(platform), offered: [formatPlatform(config.platform)] } },
  );
}
