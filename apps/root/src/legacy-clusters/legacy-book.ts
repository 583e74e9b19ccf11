import type { Statement, Store } from '@oakestra/store';
import type { LegacyClustersSchema } from './schema.ts';

/** Which clusters are of the original kind, and since when all that they run is known. */
export interface LegacyBook {
  has(clusterId: string): boolean;
  /** Makes a cluster one of them; call `entered` when the statement is on disk. */
  entry(clusterId: string, incarnation: string): Statement;
  entered(clusterId: string, incarnation: string): void;
  /** The life of our store in which all that it reports was known once. */
  knownIncarnation(clusterId: string): string | undefined;
  /** All that it reports is known in this life. Resolves when it is stored; counts at once. */
  familiar(clusterId: string, incarnation: string): Promise<void>;
}

export async function openLegacyBook(store: Store<LegacyClustersSchema>): Promise<LegacyBook> {
  const rows = await store.db.selectFrom('legacy_clusters').selectAll().execute();
  const known = new Map(rows.map((row) => [row.cluster_id, row.known_incarnation]));
  const entry = (clusterId: string, incarnation: string): Statement =>
    store.db
      .insertInto('legacy_clusters')
      .values({ cluster_id: clusterId, known_incarnation: incarnation })
      .onConflict((conflict) =>
        conflict.column('cluster_id').doUpdateSet({ known_incarnation: incarnation }),
      );

  return {
    has: (clusterId) => known.has(clusterId),
    knownIncarnation: (clusterId) => known.get(clusterId),
    entry,
    entered: (clusterId, incarnation) => void known.set(clusterId, incarnation),
    async familiar(clusterId, incarnation) {
      if (known.get(clusterId) === incarnation) return;
      known.set(clusterId, incarnation);
      await store.commit([entry(clusterId, incarnation)], { durability: 'normal' });
    },
  };
}

const META_KEY = 'legacy-clusters.store';

/**
 * Is this store younger than the installation, so that another one was there before it? Asked at its first start, and
 * remembered.
 */
export async function isSuccessor(
  { meta }: Pick<Store<never>, 'meta'>,
  isNewInstallation: boolean,
): Promise<boolean> {
  const known = await meta.get(META_KEY);
  if (known !== undefined) return known === 'successor';
  await meta.set(META_KEY, isNewInstallation ? 'first' : 'successor');
  return !isNewInstallation;
}
