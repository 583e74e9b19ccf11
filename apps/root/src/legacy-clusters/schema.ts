import type { Migrations } from '@oakestra/store';

export interface LegacyClustersSchema {
  /** Which registered clusters are of the original kind. */
  legacy_clusters: {
    cluster_id: string;
    /**
     * The life of our store in which all that the cluster reports was known once: what it reports beyond that came by a
     * mistake. Empty: that was never so.
     */
    known_incarnation: string;
  };
}

export const legacyClustersMigrations: Migrations = {
  '0004-legacy-clusters': {
    async up(db) {
      await db.schema
        .createTable('legacy_clusters')
        .addColumn('cluster_id', 'text', (column) => column.primaryKey())
        .addColumn('known_incarnation', 'text', (column) => column.notNull())
        .execute();
    },
  },
};
