import type { Clock, Random } from '@oakestra/daemon';
import { pinnedImageReference } from '../../images/reference.ts';
import { createRegistryClient } from '../../images/registry-client.ts';
import type { Registries } from '../../images/registry-settings.ts';
import type { ContainerdConnection } from '../containerd-connection.ts';
import { createContentStore } from './content-store.ts';
import { createImageRecords } from './image-records.ts';
import { describeTree, isUnpacked, readLocalTree, type UnpackedImage } from './local-image.ts';
import { createPullLease } from './pull-lease.ts';
import { type PullContext, type PullRequest, pullFromRegistry } from './registry-pull.ts';
import { pullByTransfer } from './transfer-pull.ts';

export interface PullImageOptions {
  readonly connection: ContainerdConnection;
  readonly snapshotter: string;
  readonly registries: Registries;
  /** Unique; whoever knows it can clean up after a puller that died. */
  readonly leaseId: string;
  /** The platform is the one of this host, which containerd unpacks by itself. */
  readonly isHostPlatform: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Brings an image into containerd, complete and unpacked, under its pinned name. By containerd itself where it
 * can, otherwise (and when that fails, for a better reason or for success) over the registry protocol.
 */
export async function pullImage(request: PullRequest, options: PullImageOptions): Promise<UnpackedImage> {
  const { connection, clock } = options;
  const { reference, root, signal } = request;
  const lease = createPullLease(connection, { id: options.leaseId, digest: root.digest, clock });
  await lease.create(signal);
  try {
    const context = { ...options, lease };
    const image = (await transferred(request, context)) ?? (await fetched(request, context));
    signal.throwIfAborted();
    const name = pinnedImageReference(reference, root.digest);
    await createImageRecords(connection).put(name, image.root);
    // From here on the image holds itself; a lease that stays behind ends by its own date.
    await lease.release().catch(() => undefined);
    return image;
  } catch (error) {
    await lease.abandon().catch(() => undefined);
    throw error;
  }
}

type Context = PullContext & PullImageOptions;

async function transferred(request: PullRequest, context: Context): Promise<UnpackedImage | undefined> {
  const outcome = await pullByTransfer(request, context);
  if (outcome.kind !== 'done') return undefined;
  const content = createContentStore(context.connection, { clock: context.clock });
  const tree = await readLocalTree(content, request);
  const image = tree === undefined ? undefined : describeTree(tree);
  // containerd may have chosen another platform than we do: then the rest is fetched.
  return image !== undefined && (await isUnpacked(context.connection, context.snapshotter, image))
    ? image
    : undefined;
}

async function fetched(request: PullRequest, context: Context): Promise<UnpackedImage> {
  const client = createRegistryClient(context);
  try {
    return await pullFromRegistry(request, { ...context, client });
  } finally {
    client.close();
  }
}
