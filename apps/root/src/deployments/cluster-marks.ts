import { OakestraError } from '@oakestra/contracts';
import type { Availability, Member, MemberMark } from '@oakestra/ownership';
import type { Statement, Store } from '@oakestra/store';
import type { DeploymentsSchema } from './schema.ts';

type DeploymentsStore = Store<DeploymentsSchema>;

/** What operators said of clusters. */
export async function loadMarks(
  store: DeploymentsStore,
): Promise<readonly (readonly [string, MemberMark])[]> {
  const rows = await store.db.selectFrom('deployment_clusters').selectAll().execute();
  return rows.map((row) => [
    row.cluster_id,
    { availability: row.availability as Availability, at: Number(row.marked_at) },
  ]);
}

export function markStatements(
  { db }: DeploymentsStore,
  marks: ReadonlyMap<string, MemberMark | null>,
): Statement[] {
  return Array.from(marks, ([cluster_id, mark]) => {
    if (mark === null) return db.deleteFrom('deployment_clusters').where('cluster_id', '=', cluster_id);
    const values = { availability: mark.availability, marked_at: mark.at };
    return db
      .insertInto('deployment_clusters')
      .values({ cluster_id, ...values })
      .onConflict((conflict) => conflict.column('cluster_id').doUpdateSet(values));
  });
}

/** Rejects `cluster-not-empty`. */
export function requireEmpty(cluster: Readonly<Member> | undefined): void {
  const count = cluster?.keys.size ?? 0;
  if (count === 0) return;
  throw new OakestraError(
    'conflict',
    'cluster-not-empty',
    `The cluster still holds ${count} ${count === 1 ? 'instance' : 'instances'}: drain it first, or, when it is gone ` +
      'for good, remove it with force=true, which gives them to other clusters.',
  );
}

/** Rejects `cluster-not-cleared`: first it must be known what it brings back, and what has no claim must be gone. */
export function requireCleared(cluster: Readonly<Member> | undefined): void {
  const rows = cluster === undefined ? [] : [...cluster.mirror.entries()];
  const isHeard = cluster?.isUp === true && cluster.mirror.isSynced;
  if (isHeard && rows.every(([key, { phase }]) => phase === 'removed' || cluster.keys.has(key))) return;
  throw new OakestraError(
    'conflict',
    'cluster-not-cleared',
    'A removed cluster is admitted again when it is connected and has stopped what it had. Start it, and try again.',
  );
}
