import { OakestraError } from '@oakestra/contracts';
import type { Clusters } from '../clusters/index.ts';
import type { SomeHandlers } from './handlers.ts';
import { pageOf } from './paging.ts';
import { clusterResource } from './views.ts';

export function clusterHandlers(clusters: Clusters): SomeHandlers<'listClusters' | 'readCluster'> {
  return {
    async listClusters({ query }) {
      const wanted = clusters
        .all()
        .filter(({ isActive }) => query.active === undefined || String(isActive) === query.active);
      const { items, nextCursor } = pageOf(wanted, ({ name }) => name, query);
      return { items: items.map(clusterResource), nextCursor };
    },
    async readCluster({ parameters }) {
      const cluster = clusters.cluster(parameters.clusterId ?? '');
      if (cluster !== undefined) return clusterResource(cluster);
      throw new OakestraError(
        'not-found',
        'cluster-not-found',
        `There is no cluster ${parameters.clusterId}.`,
      );
    },
  };
}
