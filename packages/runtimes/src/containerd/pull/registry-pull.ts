import type { Clock, Random } from '@oakestra/daemon';
import { chainIds } from '../../images/image-config.ts';
import type { Descriptor, LayerDescriptor } from '../../images/manifest.ts';
import type { Platform } from '../../images/platform.ts';
import type { ImageReference } from '../../images/reference.ts';
import type { RegistryClient } from '../../images/registry-client.ts';
import type { RegistryRequest } from '../../images/registry-request.ts';
import type { RegistryCredentials } from '../../images/registry-settings.ts';
import type { ImageProgress } from '../../runtime.ts';
import type { ContainerdConnection } from '../containerd-connection.ts';
import { type ContentLabels, type ContentStore, createContentStore } from './content-store.ts';
import { type ImageTree, readImageTree } from './image-tree.ts';
import { describeTree, type UnpackedImage } from './local-image.ts';
import type { PullLease } from './pull-lease.ts';
import { createProgressSum } from './pull-progress.ts';
import { createSlots } from './slots.ts';
import { createUnpacker, type LayerToUnpack, type Unpacker } from './unpack.ts';

export interface PullContext {
  readonly connection: ContainerdConnection;
  readonly snapshotter: string;
  readonly lease: PullLease;
  readonly clock: Clock;
  readonly random: Random;
}

export interface PullRequest {
  readonly reference: ImageReference;
  /** What to pull: the index or manifest that the reference was resolved to. */
  readonly root: Descriptor;
  readonly platform: Platform;
  /** As the user knows it. */
  readonly imageName: string;
  readonly credentials?: RegistryCredentials | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ImageProgress) => void;
}

/** More would not be faster on most links, and unfair to what else runs here. */
const PARALLEL_DOWNLOADS = 3;

/**
 * Brings an image into containerd over the registry protocol, with any containerd: documents and layers into the
 * content store, then one snapshot per layer. What is there already is not fetched again.
 */
export async function pullFromRegistry(
  request: PullRequest,
  context: PullContext & { readonly client: RegistryClient },
): Promise<UnpackedImage> {
  const { connection, lease, clock } = context;
  const content = createContentStore(connection, { clock, lease: lease.id });
  const unpacker = createUnpacker(connection, { ...context, content });
  const tree = await fetchTree(request, context.client, content, lease);
  await pullLayers(tree, { request, client: context.client, content, lease, unpacker });
  await holdTree(tree, content, context.snapshotter);
  return describeTree(tree);
}

async function fetchTree(
  request: PullRequest,
  client: RegistryClient,
  content: ContentStore,
  lease: PullLease,
): Promise<ImageTree> {
  const { root, platform, imageName, signal } = request;
  const atRegistry: RegistryRequest = request;
  const tree = await readImageTree({
    root,
    platform,
    imageName,
    load: async (descriptor, kind) => {
      await lease.holdContent(descriptor.digest);
      const known = await content.read(descriptor.digest, signal);
      if (known !== undefined) return known;
      const bytes =
        kind === 'config'
          ? await client.fetchBlob({ ...atRegistry, descriptor })
          : (await client.fetchManifest({ ...atRegistry, digest: descriptor.digest })).bytes;
      await content.write({
        descriptor: { ...descriptor, size: bytes.length },
        source: (offset) => pieces(bytes.subarray(offset)),
        signal,
      });
      return bytes;
    },
  });
  // `load` never gives up without an error, so there is a tree.
  if (tree === undefined) throw new Error('an image without documents');
  return tree;
}

interface LayerWork {
  readonly request: PullRequest;
  readonly client: RegistryClient;
  readonly content: ContentStore;
  readonly lease: PullLease;
  readonly unpacker: Unpacker;
}

/** Downloads in parallel, and unpacks each layer as soon as it and those below are there. */
async function pullLayers(tree: ImageTree, work: LayerWork): Promise<void> {
  const { request, lease, unpacker } = work;
  const missing = await missingLayers(tree, unpacker);
  const unpacking = createProgressSum('unpacking', request.onProgress);
  const downloading = createProgressSum('downloading', request.onProgress);
  for (const { layer } of missing) {
    await lease.holdContent(layer.digest);
    downloading.expect(layer.digest, layer.size);
    unpacking.expect(layer.digest, layer.size);
  }

  const slots = createSlots(PARALLEL_DOWNLOADS);
  const firstFailure = new AbortController();
  const signal = AbortSignal.any([request.signal, firstFailure.signal]);
  const downloads = new Map<string, Promise<void>>();
  for (const { layer } of missing) {
    // The same layer may occur twice in one image.
    if (downloads.has(layer.digest)) continue;
    const report = (doneBytes: number): void => downloading.report(layer.digest, doneBytes);
    const download = slots.run(() => downloadLayer(layer, work, signal, report), signal);
    download.catch((error: unknown) => firstFailure.abort(error));
    downloads.set(layer.digest, download);
  }
  try {
    for (const item of missing) {
      await downloads.get(item.layer.digest);
      await unpacker.unpack(item, request.imageName, signal);
      unpacking.report(item.layer.digest, item.layer.size);
    }
  } catch (error) {
    firstFailure.abort(error);
    throw firstFailure.signal.reason;
  } finally {
    // Nothing may write to containerd after the caller was told the result.
    await Promise.allSettled(downloads.values());
  }
}

/** The layers above the highest snapshot that is there already. */
async function missingLayers(tree: ImageTree, unpacker: Unpacker): Promise<readonly LayerToUnpack[]> {
  const chain = chainIds(tree.config.diffIds);
  let present = chain.length;
  while (present > 0 && !(await unpacker.has(chain[present - 1] ?? ''))) present--;
  return tree.layers.slice(present).map((layer, i) => ({
    layer,
    diffId: tree.config.diffIds[present + i] ?? '',
    chainId: chain[present + i] ?? '',
    parentChainId: chain[present + i - 1] ?? '',
  }));
}

async function downloadLayer(
  layer: LayerDescriptor,
  { request, client, content }: LayerWork,
  signal: AbortSignal,
  onProgress: (doneBytes: number) => void,
): Promise<void> {
  signal.throwIfAborted();
  if (await content.has(layer.digest)) return onProgress(layer.size);
  await content.write({
    descriptor: layer,
    source: (offset) => client.readBlob({ ...request, descriptor: layer, offset, signal }),
    signal,
    onProgress,
  });
}

/** Tells containerd's garbage collector what belongs together, from the top to the snapshot. */
async function holdTree(tree: ImageTree, content: ContentStore, snapshotter: string): Promise<void> {
  const chainId = chainIds(tree.config.diffIds).at(-1);
  const { configDescriptor, manifest, layers, choices } = tree;
  if (chainId !== undefined) {
    await content.setLabels(configDescriptor.digest, {
      [`containerd.io/gc.ref.snapshot.${snapshotter}`]: chainId,
    });
  }
  const parts: Record<string, string> = { 'containerd.io/gc.ref.content.config': configDescriptor.digest };
  for (const [i, { digest }] of layers.entries()) parts[`containerd.io/gc.ref.content.l.${i}`] = digest;
  await content.setLabels(manifest.digest, parts satisfies ContentLabels);
  for (const { index, position, entry } of choices) {
    await content.setLabels(index.digest, { [`containerd.io/gc.ref.content.m.${position}`]: entry.digest });
  }
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer, void> {
  if (bytes.length > 0) yield bytes;
}
