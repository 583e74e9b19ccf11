import { copyFile, link, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileTree } from './file-tree.ts';
import { blobPath, packLayer } from './layer.ts';
import {
  type Descriptor,
  type Document,
  type ImageSettings,
  imageConfig,
  imageIndex,
  imageManifest,
  type LayerBlob,
  type LayerCompression,
  type Platform,
} from './oci.ts';

interface LayerSpec {
  readonly tree: FileTree;
  /** Default gzip. */
  readonly compression?: LayerCompression;
}

/** One image for one platform. */
export interface ImageSpec {
  readonly platform: Platform;
  readonly layers: readonly LayerSpec[];
  readonly settings: ImageSettings;
}

/** An image on disk as an OCI image layout. */
export interface ImageLayout {
  readonly directory: string;
  /** The manifest, or the index of a multi-architecture image. */
  readonly top: Descriptor;
  /** One per platform, in the order of the specs. */
  readonly manifests: readonly { readonly descriptor: Descriptor; readonly blobs: readonly Descriptor[] }[];
}

/**
 * Builds an image into `<cacheDirectory>/images/<name>-<digest>`. One spec gives a plain image, several give a
 * multi-architecture index. Equal specs give equal digests and are taken from the cache.
 */
export async function buildImage(
  name: string,
  specs: readonly ImageSpec[],
  cacheDirectory: string,
): Promise<ImageLayout> {
  const images = await Promise.all(
    specs.map(async (spec) => {
      const layers: LayerBlob[] = [];
      for (const { tree, compression = 'gzip' } of spec.layers) {
        layers.push(await packLayer(tree, compression, cacheDirectory));
      }
      const config = imageConfig(spec.platform, layers, spec.settings);
      return { platform: spec.platform, layers, config, manifest: imageManifest(config.descriptor, layers) };
    }),
  );
  const isMulti = images.length !== 1;
  const index = imageIndex(images.map(({ manifest, platform }) => ({ ...manifest.descriptor, platform })));
  const top = isMulti ? index.descriptor : (images[0] as (typeof images)[number]).manifest.descriptor;
  const directory = join(cacheDirectory, 'images', `${name}-${top.digest.slice('sha256:'.length, 19)}`);
  await writeLayout(directory, {
    top,
    documents: [...images.flatMap((image) => [image.config, image.manifest]), ...(isMulti ? [index] : [])],
    layers: images.flatMap((image) => image.layers),
    cacheDirectory,
  });
  return {
    directory,
    top,
    manifests: images.map(({ manifest, config, layers }) => ({
      descriptor: manifest.descriptor,
      blobs: [
        config.descriptor,
        ...layers.map(({ digest, sizeBytes }) => ({ mediaType: '', digest, size: sizeBytes })),
      ],
    })),
  };
}

interface LayoutContent {
  readonly top: Descriptor;
  readonly documents: readonly Document[];
  readonly layers: readonly LayerBlob[];
  readonly cacheDirectory: string;
}

async function writeLayout(
  directory: string,
  { top, documents, layers, cacheDirectory }: LayoutContent,
): Promise<void> {
  const isComplete = await Promise.all(
    [...layers.map((layer) => layer.digest), ...documents.map((one) => one.descriptor.digest)].map((digest) =>
      stat(blobPath(directory, digest)).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (isComplete.every(Boolean)) return;
  await mkdir(dirname(directory), { recursive: true });
  const work = await mkdtemp(`${directory}.`);
  try {
    await mkdir(join(work, 'blobs', 'sha256'), { recursive: true });
    for (const { digest } of layers) {
      const [from, to] = [blobPath(cacheDirectory, digest), blobPath(work, digest)];
      // The same layer may occur in several platforms.
      await link(from, to).catch(() => copyFile(from, to));
    }
    for (const { descriptor, content } of documents)
      await writeFile(blobPath(work, descriptor.digest), content);
    await writeFile(join(work, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await writeFile(join(work, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [top] }));
    await rm(directory, { recursive: true, force: true });
    await rename(work, directory).catch(async (error: NodeJS.ErrnoException) => {
      // Another process built the same image meanwhile: its files are as good as ours.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
