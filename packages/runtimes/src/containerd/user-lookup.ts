import { randomUUID } from 'node:crypto';
import type { Clock } from '@oakestra/daemon';
import type { ContainerdConnection } from './containerd-connection.ts';
import { LeasesDefinition } from './gen/containerd/leases.gen.ts';
import { SnapshotsDefinition } from './gen/containerd/snapshots.gen.ts';
import { type AccountFiles, numericUser, resolveUser } from './image-user.ts';
import { layersOf, readLayerFile } from './layer-files.ts';
import type { OciUser } from './oci-types.ts';
import type { PreparedImage } from './prepared-image.ts';

/** Who a program of this image runs as. */
export type LookUpUser = (image: PreparedImage, snapshotter: string) => Promise<OciUser>;

/** Should this process end in between, containerd removes the view after this time. */
const leaseLifetimeMs = 10 * 60_000;
const mostRemembered = 200;

/** Reads the image's files only when a name has to be looked up, and then once per image. */
export function createUserLookup(connection: ContainerdConnection, clock: Clock): LookUpUser {
  const remembered = new Map<string, Promise<OciUser>>();

  const readAccounts = async (chainId: string, snapshotter: string): Promise<AccountFiles> => {
    const key = `oakestra-lookup-${randomUUID()}`;
    const expires = new Date(clock.nowMs() + leaseLifetimeMs).toISOString();
    await connection.unary(LeasesDefinition, 'create', {
      id: key,
      labels: { 'containerd.io/gc.expire': expires },
    });
    try {
      const view = { snapshotter, key, parent: chainId, labels: {} };
      const { mounts } = await connection.unary(SnapshotsDefinition, 'view', view, { lease: key });
      const layers = layersOf(mounts);
      const [passwd, group] = await Promise.all(
        ['etc/passwd', 'etc/group'].map((path) => readLayerFile(layers, path)),
      );
      return { passwd: passwd ?? '', group: group ?? '' };
    } finally {
      await connection.unary(SnapshotsDefinition, 'remove', { snapshotter, key }).catch(() => undefined);
      await connection.unary(LeasesDefinition, 'delete', { id: key, sync: false }).catch(() => undefined);
    }
  };

  return async (image, snapshotter) => {
    const user = image.config.config?.User ?? '';
    const known = numericUser(user);
    if (known !== undefined) return known;
    const key = `${image.chainId} ${user}`;
    let answer = remembered.get(key);
    if (answer === undefined) {
      answer = readAccounts(image.chainId, snapshotter).then((files) =>
        resolveUser(user, files, image.pinnedReference),
      );
      // The layers of a chain id never change, so only a failed attempt is worth another one.
      answer.catch(() => remembered.delete(key));
      remembered.set(key, answer);
      const oldest = remembered.keys().next();
      if (remembered.size > mostRemembered && !oldest.done) remembered.delete(oldest.value);
    }
    return answer;
  };
}
