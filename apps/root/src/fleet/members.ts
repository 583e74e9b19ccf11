import type { LabelOverride, Labels } from '@oakestra/contracts';
import type { Durability } from '@oakestra/ownership';
import type { Statement, Store } from '@oakestra/store';
import type { FleetSchema } from './schema.ts';

/** A cluster (no `workerId`) or a worker, as far as it is remembered. Replaced, never changed in place. */
export interface FleetMember {
  readonly clusterId: string;
  /** Empty: the cluster itself. */
  readonly workerId: string;
  readonly name: string;
  readonly own: Labels;
  readonly override: LabelOverride;
}

/** What is remembered of clusters and workers: in memory, and on disk. */
export interface MemberBook {
  get(clusterId: string, workerId: string): FleetMember | undefined;
  workersOf(clusterId: string): readonly FleetMember[];
  /** Resolves when it is on disk, together with `further`; only then it is shown. */
  put(member: FleetMember, durability: Durability, further?: readonly Statement[]): Promise<void>;
  drop(member: FleetMember): Promise<void>;
}

export async function openMemberBook(store: Store<FleetSchema>): Promise<MemberBook> {
  const clusters = new Map<string, Map<string, FleetMember>>();
  const remember = (member: FleetMember): void => {
    const members = clusters.get(member.clusterId) ?? new Map<string, FleetMember>();
    members.set(member.workerId, member);
    clusters.set(member.clusterId, members);
  };
  for (const row of await store.db.selectFrom('fleet_members').selectAll().execute()) {
    remember({
      clusterId: row.cluster_id,
      workerId: row.worker_id,
      name: row.name,
      own: JSON.parse(row.own_labels) as Labels,
      override: { version: Number(row.version), labels: JSON.parse(row.labels) as Record<string, string> },
    });
  }

  return {
    get: (clusterId, workerId) => clusters.get(clusterId)?.get(workerId),
    workersOf: (clusterId) =>
      [...(clusters.get(clusterId)?.values() ?? [])].filter(({ workerId }) => workerId !== ''),
    async put(member, durability, further = []) {
      const { clusterId: cluster_id, workerId: worker_id, name, own, override } = member;
      const values = {
        name,
        own_labels: JSON.stringify(own),
        labels: JSON.stringify(override.labels),
        version: override.version,
      };
      const statement = store.db
        .insertInto('fleet_members')
        .values({ cluster_id, worker_id, ...values })
        .onConflict((conflict) => conflict.columns(['cluster_id', 'worker_id']).doUpdateSet(values));
      await store.commit([statement, ...further], { durability });
      remember(member);
    },
    async drop({ clusterId, workerId }) {
      const statement = store.db
        .deleteFrom('fleet_members')
        .where('cluster_id', '=', clusterId)
        .where('worker_id', '=', workerId);
      await store.commit([statement], { durability: 'normal' });
      clusters.get(clusterId)?.delete(workerId);
    },
  };
}
