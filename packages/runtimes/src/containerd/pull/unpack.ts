import { type Clock, type Random, randomHex } from '@oakestra/daemon';
import { imageError } from '../../images/image-errors.ts';
import type { LayerDescriptor } from '../../images/manifest.ts';
import { unpackableLayerType } from '../../images/media-types.ts';
import {
  type ContainerdConnection,
  isContainerdExists,
  isContainerdNotFound,
} from '../containerd-connection.ts';
import { DiffDefinition } from '../gen/containerd/diff.gen.ts';
import { SnapshotsDefinition } from '../gen/containerd/snapshots.gen.ts';
import type { ContentStore } from './content-store.ts';
import { pullFailure } from './pull-failure.ts';
import type { PullLease } from './pull-lease.ts';

export interface LayerToUnpack {
  readonly layer: LayerDescriptor;
  /** Digest of the uncompressed layer, as the image's configuration says. */
  readonly diffId: string;
  /** Name of the snapshot with this layer on top, and of the one below (empty for the lowest). */
  readonly chainId: string;
  readonly parentChainId: string;
}

/** Makes snapshots of layers. Safe against others that unpack the same layers at the same time. */
export interface Unpacker {
  /** Is this snapshot complete? It is held from then on. */
  has(chainId: string): Promise<boolean>;
  unpack(layer: LayerToUnpack, imageName: string, signal: AbortSignal): Promise<void>;
}

export interface UnpackerOptions {
  readonly snapshotter: string;
  readonly lease: PullLease;
  readonly content: ContentStore;
  readonly random: Random;
  readonly clock: Clock;
}

/** Unpacking takes what it takes; this only ends a containerd that hangs. */
const APPLY_TIMEOUT_MS = 3_600_000;
const SNAPSHOT_TIMEOUT_MS = 60_000;
const UNCOMPRESSED_LABEL = 'containerd.io/uncompressed';

export function createUnpacker(connection: ContainerdConnection, options: UnpackerOptions): Unpacker {
  const { snapshotter, lease, content, random } = options;

  const has = async (chainId: string): Promise<boolean> => {
    await lease.holdSnapshot(snapshotter, chainId);
    return await isCommitted(connection, snapshotter, chainId);
  };
  const remove = async (key: string): Promise<void> => {
    try {
      await connection.unary(
        SnapshotsDefinition,
        'remove',
        { snapshotter, key },
        { timeoutMs: SNAPSHOT_TIMEOUT_MS },
      );
    } catch (error) {
      if (!isContainerdNotFound(error)) throw error;
    }
  };

  const apply = async (
    key: string,
    item: LayerToUnpack,
    imageName: string,
    signal: AbortSignal,
  ): Promise<void> => {
    const { layer, diffId, chainId, parentChainId } = item;
    const held = { lease: lease.id, signal };
    const { mounts } = await connection.unary(
      SnapshotsDefinition,
      'prepare',
      { snapshotter, key, parent: parentChainId, labels: {} },
      { ...held, timeoutMs: SNAPSHOT_TIMEOUT_MS },
    );
    const mediaType = unpackableLayerType(layer.compression);
    const diff = { mediaType, digest: layer.digest, size: layer.size, annotations: {} };
    const { applied } = await connection.unary(
      DiffDefinition,
      'apply',
      { diff, mounts },
      { ...held, timeoutMs: APPLY_TIMEOUT_MS },
    );
    if (applied?.digest !== diffId) {
      throw imageError(
        'image-invalid',
        `Image ${imageName} contradicts itself: a layer unpacks to ${applied?.digest}, but its configuration says ` +
          `${diffId}. Push the image again`,
        { details: { layer: layer.digest, expected: diffId, actual: applied?.digest } },
      );
    }
    await connection.unary(
      SnapshotsDefinition,
      'commit',
      { snapshotter, key, name: chainId, labels: {} },
      { ...held, timeoutMs: SNAPSHOT_TIMEOUT_MS },
    );
  };

  return {
    has,
    async unpack(item, imageName, signal) {
      const { layer, diffId, chainId } = item;
      const key = `oakestra-unpack-${randomHex(random, 8)}`;
      try {
        await apply(key, item, imageName, signal);
      } catch (error) {
        // The call may have reached containerd and gone on there: remove what it left, whoever failed.
        await remove(key);
        signal.throwIfAborted();
        // Another pull was faster.
        if (!(isContainerdExists(error) && (await has(chainId))))
          throw pullFailure(`unpacking ${imageName}`, error);
      }
      await content.setLabels(layer.digest, { [UNCOMPRESSED_LABEL]: diffId });
    },
  };
}

/** Is there a committed snapshot of this name? */
export async function isCommitted(
  connection: ContainerdConnection,
  snapshotter: string,
  chainId: string,
): Promise<boolean> {
  try {
    await connection.unary(SnapshotsDefinition, 'stat', { snapshotter, key: chainId });
    return true;
  } catch (error) {
    if (isContainerdNotFound(error)) return false;
    throw error;
  }
}
