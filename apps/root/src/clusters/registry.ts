import type { ClusterRegistration } from '@oakestra/contracts/registration';
import { newId, type Random } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
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
  register(registration: ClusterRegistration, address: string): Promise<RegisteredCluster>;
}

export async function openClusterRegistry(
  store: Store<ClustersSchema>,
  random: Random,
): Promise<ClusterRegistry> {
  const clusters = new Map<string, RegisteredCluster>();
  for (const row of await store.db.selectFrom('clusters').selectAll().execute()) clusters.set(row.name, row);

  return {
    all: () => [...clusters.values()],
    byName: (name) => clusters.get(name),
    byId: (id) => [...clusters.values()].find((cluster) => cluster.id === id),
    async register(registration, address) {
      const present = clusters.get(registration.clusterName);
      const next: RegisteredCluster = {
        id: present?.id ?? newId(random),
        name: registration.clusterName,
        location: registration.clusterLocation,
        address,
        port: registration.managerPort,
      };
      if (present !== undefined && JSON.stringify(present) === JSON.stringify(next)) return present;
      const { id, ...values } = next;
      await store.commit(
        [
          store.db
            .insertInto('clusters')
            .values({ id, ...values })
            .onConflict((conflict) => conflict.column('id').doUpdateSet(values)),
        ],
        { durability: 'full' },
      );
      clusters.set(next.name, next);
      return next;
    },
  };
}
