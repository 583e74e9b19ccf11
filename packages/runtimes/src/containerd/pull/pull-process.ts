import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { type Clock, type Logger, type Random, randomHex, systemClock, systemRandom } from '@oakestra/daemon';
import type { Descriptor } from '../../images/manifest.ts';
import { formatPlatform, hostPlatform, type Platform, parsePlatform } from '../../images/platform.ts';
import {
  familiarImageReference,
  formatImageReference,
  type ImageReference,
  parseImageReference,
  pinnedImageReference,
} from '../../images/reference.ts';
import type { Registries, RegistryCredentials } from '../../images/registry-settings.ts';
import type { ImageProgress, ImageRequest } from '../../runtime.ts';
import type { ContainerdConnection } from '../containerd-connection.ts';
import type { PreparedImage, PrepareImageOptions } from '../prepared-image.ts';
import { type ChooseSnapshotter, createSnapshotterChoice } from '../snapshotter.ts';
import { createConfigCache } from './config-cache.ts';
import { createContentStore } from './content-store.ts';
import { createImageRecords, type NamedImage } from './image-records.ts';
import { describeTree, isUnpacked, readLocalTree, type UnpackedImage } from './local-image.ts';
import { ChildCrashedError, type ChildProgram, crashError, pullInChild } from './pull-child.ts';
import { createPullLease, removeAllPullLeases } from './pull-lease.ts';
import { createSharedWork } from './shared-work.ts';
import { createSlots } from './slots.ts';
import { createTagResolver } from './tag-resolver.ts';

export interface ImagePullerOptions {
  /** Starts `runImagePullProgram`. */
  readonly childProgram: ChildProgram;
  /** Stays open after `close()`. The child makes one of its own to the same socket and namespace. */
  readonly connection: ContainerdConnection;
  /** What to unpack into. Default: the best that containerd offers. */
  readonly snapshotter?: ChooseSnapshotter;
  /** Registries that need other than the defaults. Default: none. */
  readonly registries?: Registries;
  readonly logger: Logger;
  /** Default: the platform of this host. */
  readonly platform?: Platform;
  /** How many images are pulled at once; the others wait. Default 2. */
  readonly maxParallelPulls?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A prepared image, and how certain it is that the tag still means it. */
export interface PulledImage extends PreparedImage {
  /** The registry could not be asked, this is the image that the tag meant when it was pulled last. */
  readonly isStale: boolean;
}

/** Gets images into containerd and says what is in them. */
export interface ImagePuller {
  /**
   * A tag is resolved at its registry at each call; a digest that is here needs no registry. What is missing is
   * downloaded and unpacked in a child process. Callers that want the same image share one pull. Fails with the
   * codes of `images/image-errors.ts`, `image-pull-failed` and `runtime-unavailable` among them, or with the
   * reason of the signal.
   */
  prepareImage(request: ImageRequest, options: PrepareImageOptions): Promise<PulledImage>;
  /** All names of images that we pulled into this namespace. */
  listImages(): Promise<readonly NamedImage[]>;
  /**
   * Forgets an image and frees its space, except what other images and existing instances use. False when there
   * was none of this name.
   */
  removeImage(reference: string): Promise<boolean>;
  /** Removes all our images and what broken pulls left. Instances must be gone before. */
  removeEverything(): Promise<void>;
  /** Cancels running pulls, waits for their end. */
  close(): Promise<void>;
}

interface Wanted {
  readonly reference: ImageReference;
  readonly root: Descriptor;
  readonly platform: Platform;
  readonly imageName: string;
  readonly credentials: RegistryCredentials | undefined;
}

const CACHED_CONFIGS = 64;

export function createImagePuller(options: ImagePullerOptions): ImagePuller {
  const { childProgram, connection, registries = {}, logger, maxParallelPulls = 2 } = options;
  const { clock = systemClock(), random = systemRandom() } = options;
  const chooseSnapshotter = options.snapshotter ?? createSnapshotterChoice(connection, logger);
  const ownPlatform = options.platform ?? platformOfThisHost();
  const content = createContentStore(connection, { clock });
  const records = createImageRecords(connection);
  const resolver = createTagResolver({ records, registries, clock, random, logger });
  const cache = createConfigCache(CACHED_CONFIGS);
  const pulls = createSharedWork<ImageProgress, UnpackedImage>();
  const slots = createSlots(maxParallelPulls);

  /** From containerd alone: the pinned name holds the image, so what it points to stays. */
  const findLocal = async (wanted: Wanted, signal: AbortSignal): Promise<UnpackedImage | undefined> => {
    const key = cacheKey(wanted);
    const cached = cache.get(key);
    const name = pinnedImageReference(wanted.reference, wanted.root.digest);
    const snapshotter = await chooseSnapshotter();
    const [record, isCachedUnpacked] = await Promise.all([
      records.get(name),
      cached === undefined ? false : isUnpacked(connection, snapshotter, cached),
    ]);
    if (record === undefined) return undefined;
    if (cached !== undefined && isCachedUnpacked) return cached;
    const tree = await readLocalTree(content, { ...wanted, root: record.descriptor, signal });
    const image = tree === undefined ? undefined : describeTree(tree);
    if (image === undefined || !(await isUnpacked(connection, snapshotter, image))) return undefined;
    cache.set(key, image);
    return image;
  };

  const pull = async (
    wanted: Wanted,
    signal: AbortSignal,
    onProgress: (progress: ImageProgress) => void,
  ): Promise<UnpackedImage> => {
    const leaseId = `oakestra-pull-${randomHex(random, 8)}`;
    const { reference, root, platform, imageName, credentials } = wanted;
    const startedAtMs = clock.monotonicMs();
    try {
      const image = await pullInChild({
        program: childProgram,
        order: {
          socketPath: connection.socketPath,
          namespace: connection.namespace,
          snapshotter: await chooseSnapshotter(),
          leaseId,
          reference,
          root,
          platform,
          isHostPlatform: formatPlatform(platform) === formatPlatform(ownPlatform),
          imageName,
          ...optional('credentials', credentials),
          registries,
        },
        clock,
        signal,
        onProgress,
      });
      cache.set(cacheKey(wanted), image);
      logger.info('Pulled an image', {
        image: imageName,
        digest: root.digest,
        durationMs: Math.round(clock.monotonicMs() - startedAtMs),
      });
      return image;
    } catch (error) {
      if (!(error instanceof ChildCrashedError)) throw error;
      await createPullLease(connection, { id: leaseId, digest: root.digest, clock })
        .abandon()
        .catch((cause: unknown) =>
          logger.warn('What a broken pull left is still there', { leaseId, error: cause }),
        );
      signal.throwIfAborted();
      throw crashError(imageName, error);
    }
  };

  /** The image may have come while this one waited for its turn. */
  const pullInTurn = (wanted: Wanted, signal: AbortSignal, onProgress: (progress: ImageProgress) => void) =>
    slots.run(
      async () => (await findLocal(wanted, signal)) ?? (await pull(wanted, signal, onProgress)),
      signal,
    );

  return {
    async prepareImage(request, { signal, onProgress }) {
      signal.throwIfAborted();
      const asked = parseImageReference(request.reference);
      const platform = request.platform === undefined ? ownPlatform : parsePlatform(request.platform);
      const credentials = request.credentials ?? registries[asked.registry]?.credentials;
      onProgress?.({ phase: 'resolving', doneBytes: 0, totalBytes: 0 });
      const { root, isStale, localDigest } = await resolver.resolve({
        reference: asked,
        credentials,
        signal,
      });
      const wanted = {
        reference: asked,
        root,
        platform,
        imageName: familiarImageReference(asked),
        credentials,
      };

      const image =
        (await findLocal(wanted, signal)) ??
        (await pulls.join(workKey(wanted), {
          signal,
          onProgress,
          start: (workSignal, tell) => pullInTurn(wanted, workSignal, tell),
        }));
      if (asked.digest === undefined && localDigest !== root.digest) {
        // For the day on which the registry cannot be asked.
        await records.put(formatImageReference(asked), image.root);
      }
      return {
        pinnedReference: pinnedImageReference(asked, root.digest),
        digest: root.digest,
        stopSignal: image.stopSignal,
        config: image.config,
        chainId: image.chainId,
        isStale,
      };
    },

    listImages: () => records.list(),
    removeImage: (reference) => records.remove(parseImageReference(reference)),

    async removeEverything() {
      for (const { name } of await records.list()) await records.remove(parseImageReference(name));
      await removeAllPullLeases(connection);
    },

    async close() {
      await pulls.close();
      resolver.close();
    },
  };
}

function platformOfThisHost(): Platform {
  // On 32-bit ARM the build says which instructions it was made for; Node's types do not know it.
  const { arm_version: armVersion } = process.config.variables as { arm_version?: string | number };
  return hostPlatform({
    arch: process.arch,
    endianness: endianness(),
    ...(armVersion === undefined ? {} : { armVersion: String(armVersion) }),
  });
}

function cacheKey({ root, platform }: Wanted): string {
  return `${root.digest} ${formatPlatform(platform)}`;
}

/** Pulls are shared by those who may see the same; wrong credentials of one must not fail the other. */
function workKey({ reference, root, platform, credentials }: Wanted): string {
  const secret =
    credentials === undefined ? '' : JSON.stringify([credentials.username, credentials.password.reveal()]);
  const who = createHash('sha256').update(secret).digest('hex');
  return [pinnedImageReference(reference, root.digest), formatPlatform(platform), who].join(' ');
}

function optional<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: Value });
}
