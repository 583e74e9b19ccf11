import type { ClusterRegistration } from '@oakestra/contracts/registration';
import { createSerially, newId, type Random } from '@oakestra/daemon';
import type { Statement, Store } from '@oakestra/store';
import type { ClustersSchema } from './schema.ts';

export interface RegisteredCluster {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly address: string;
  readonly port: number;
}

/** Which clusters belong to this root. A name keeps its id for ever (root-api 8). */
export interface ClusterRegistry {
  all(): readonly RegisteredCluster[];
  byName(name: string): RegisteredCluster | undefined;
  byId(id: string): RegisteredCluster | undefined;
  /**
   * Resolves when it is on disk; to the same object as before when nothing changed. What `alongside` gives is written
   * together with it.
   */
  register(
    registration: ClusterRegistration,
    address: string,
    alongside?: (clusterId: string) => readonly Statement[],
  ): Promise<RegisteredCluster>;
}

export async function openClusterRegistry(
  store: Store<ClustersSchema>,
  random: Random,
): Promise<ClusterRegistry> {
  const byName = new Map<string, RegisteredCluster>();
  const byId = new Map<string, RegisteredCluster>();
  const serially = createSerially();

  const remember = (cluster: RegisteredCluster): void => {
    byName.set(cluster.name, cluster);
    byId.set(cluster.id, cluster);
  };
  for (const row of await store.db.selectFrom('clusters').selectAll().execute()) remember(row);

  const register: ClusterRegistry['register'] = async (registration, address, alongside) => {
    const present = byName.get(registration.clusterName);
    const next: RegisteredCluster = {
      id: present?.id ?? newId(random),
      name: registration.clusterName,
      location: registration.clusterLocation,
      address,
      port: registration.managerPort,
    };
    const further = alongside?.(next.id) ?? [];
    if (present !== undefined && isSame(present, next) && further.length === 0) return present;
    const { id, ...values } = next;
    await store.commit(
      [
        store.db
          .insertInto('clusters')
          .values({ id, ...values })
          .onConflict((conflict) => conflict.column('id').doUpdateSet(values)),
        ...further,
      ],
      { durability: 'full' },
    );
    remember(next);
    return next;
  };

  return {
    all: () => [...byName.values()],
    byName: (name) => byName.get(name),
    byId: (id) => byId.get(id),
    // A cluster that asks twice at once must not get two ids.
    register: (registration, address, alongside) =>
      serially(registration.clusterName, () => register(registration, address, alongside)),
  };
}

function isSame(a: RegisteredCluster, b: RegisteredCluster): boolean {
  return a.id === b.id && a.location === b.location && a.address === b.address && a.port === b.port;
}
