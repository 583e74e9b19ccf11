import type { Clock } from '@oakestra/daemon';
import {
  type ContainerdConnection,
  isContainerdExists,
  isContainerdNotFound,
} from '../containerd-connection.ts';
import { LeaseResourcesDefinition } from '../gen/containerd/lease-resources.gen.ts';
import { LeasesDefinition } from '../gen/containerd/leases.gen.ts';

/** Keeps what a pull has brought so far from being collected. */
export interface PullLease {
  readonly id: string;
  create(signal: AbortSignal): Promise<void>;
  /** Holds content that is there already, or will be. */
  holdContent(digest: string): Promise<void>;
  holdSnapshot(snapshotter: string, name: string): Promise<void>;
  /** The image is complete and holds everything itself. */
  release(): Promise<void>;
  /**
   * The pull ended early: what it downloaded stays for an hour, so that the next attempt goes on from there;
   * half unpacked layers go at once. Repeating it does no harm.
   */
  abandon(): Promise<void>;
}

/** Every lease of a pull carries it; the value is the digest of the image. */
const PULL_LABEL = 'oakestra.io/pull';
const EXPIRE_LABEL = 'containerd.io/gc.expire';
/** For the case that nobody is left to end the lease. */
const LIFETIME_MS = 24 * 3_600_000;
const RESUME_LIFETIME_MS = 3_600_000;
/** Deleting waits for a garbage collection, which may have much to remove. */
const COLLECT_TIMEOUT_MS = 60_000;

/** containerd's service of leases, the methods that our declarations keep apart. */
const resources = { ...LeaseResourcesDefinition, fullName: LeasesDefinition.fullName };

export function createPullLease(
  connection: ContainerdConnection,
  options: { readonly id: string; readonly digest: string; readonly clock: Clock },
): PullLease {
  const { id, digest, clock } = options;
  const createLease = async (leaseId: string, lifetimeMs: number, signal?: AbortSignal): Promise<void> => {
    const labels = {
      [PULL_LABEL]: digest,
      [EXPIRE_LABEL]: new Date(clock.nowMs() + lifetimeMs).toISOString(),
    };
    try {
      await connection.unary(LeasesDefinition, 'create', { id: leaseId, labels }, signal ? { signal } : {});
    } catch (error) {
      if (!isContainerdExists(error)) throw error;
    }
  };
  const hold = (leaseId: string, type: string, name: string): Promise<unknown> =>
    connection.unary(resources, 'addResource', { id: leaseId, resource: { id: name, type } });

  return {
    id,
    create: (signal) => createLease(id, LIFETIME_MS, signal),
    async holdContent(contentDigest) {
      await hold(id, 'content', contentDigest);
    },
    async holdSnapshot(snapshotter, name) {
      await hold(id, `snapshots/${snapshotter}`, name);
    },
    async release() {
      // Older attempts at the same image have nothing to keep any more either.
      await deleteLease(connection, id);
      await removePullLeases(connection, [`labels."${PULL_LABEL}"==${digest}`], isResumeLease);
    },
    async abandon() {
      const held = await heldBy(connection, id);
      const resumable = held.filter(({ type }) => type === 'content' || type === 'ingests');
      if (resumable.length > 0) {
        const resumeId = `${id}${RESUME_SUFFIX}`;
        await createLease(resumeId, RESUME_LIFETIME_MS);
        for (const { type, id: name } of resumable) await hold(resumeId, type, name);
      }
      await deleteLease(connection, id);
    },
  };
}

/** Ends the leases of all pulls, running ones included: for removing every trace of us. */
export async function removeAllPullLeases(connection: ContainerdConnection): Promise<void> {
  await removePullLeases(connection, [`labels."${PULL_LABEL}"`], () => true);
}

const RESUME_SUFFIX = '-resume';
const isResumeLease = (id: string): boolean => id.endsWith(RESUME_SUFFIX);

async function removePullLeases(
  connection: ContainerdConnection,
  filters: string[],
  isMeant: (id: string) => boolean,
): Promise<void> {
  const { leases } = await connection.unary(LeasesDefinition, 'list', { filters });
  for (const lease of leases) if (isMeant(lease.id)) await deleteLease(connection, lease.id);
}

async function heldBy(connection: ContainerdConnection, id: string) {
  try {
    return (await connection.unary(resources, 'listResources', { id })).resources;
  } catch (error) {
    if (isContainerdNotFound(error)) return [];
    throw error;
  }
}

async function deleteLease(connection: ContainerdConnection, id: string): Promise<void> {
  try {
    await connection.unary(LeasesDefinition, 'delete', { id, sync: true }, { timeoutMs: COLLECT_TIMEOUT_MS });
  } catch (error) {
    if (!isContainerdNotFound(error)) throw error;
  }
}
