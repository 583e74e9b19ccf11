import { chainIds, stopSignalOf } from '../../images/image-config.ts';
import type { Descriptor } from '../../images/manifest.ts';
import type { Platform } from '../../images/platform.ts';
import type { ContainerdConnection } from '../containerd-connection.ts';
import type { OciImageConfig } from '../prepared-image.ts';
import type { ContentStore } from './content-store.ts';
import { type ImageTree, readImageTree } from './image-tree.ts';
import { isCommitted } from './unpack.ts';

/** What an image is on this host, whatever it is called. */
export interface UnpackedImage {
  /** The index or manifest that all of it hangs on. */
  readonly root: Descriptor;
  readonly config: OciImageConfig;
  readonly stopSignal: string;
  /** Empty for an image without layers. */
  readonly chainId: string;
}

export interface LocalImageRequest {
  readonly root: Descriptor;
  readonly platform: Platform;
  readonly imageName: string;
  readonly signal: AbortSignal;
}

export function describeTree({ root, config }: ImageTree): UnpackedImage {
  return {
    root,
    config: config.oci,
    stopSignal: stopSignalOf(config.oci),
    chainId: chainIds(config.diffIds).at(-1) ?? '',
  };
}

/** Is the snapshot of this image here? */
export async function isUnpacked(
  connection: ContainerdConnection,
  snapshotter: string,
  { chainId }: UnpackedImage,
): Promise<boolean> {
  return chainId === '' || (await isCommitted(connection, snapshotter, chainId));
}

/** Reads the documents of an image from containerd alone; undefined when one of them is not there. */
export async function readLocalTree(
  content: ContentStore,
  { root, platform, imageName, signal }: LocalImageRequest,
): Promise<ImageTree | undefined> {
  return await readImageTree({
    root,
    platform,
    imageName,
    load: ({ digest }) => content.read(digest, signal),
  });
}
