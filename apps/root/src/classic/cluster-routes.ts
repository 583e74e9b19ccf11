import { clusterToWire } from '@oakestra/contracts/classic';
import type { Clusters } from '../clusters/index.ts';
import { plain, type Route, text } from './route.ts';

/** Clusters (root-api 4.6), behind a token: addresses are nobody else's business. */
export function clusterRoutes(clusters: Clusters): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/clusters',
      access: 'user',
      handle: async () => text(clusters.all().map(clusterToWire)),
    },
    {
      method: 'GET',
      path: '/api/clusters/active',
      access: 'user',
      handle: async () => {
        const active = clusters.all().filter((cluster) => cluster.isActive);
        return text(active.map(clusterToWire));
      },
    },
  ];
}

/** Whether the root answers (root-api 2.6). */
export function statusRoutes(): Route[] {
  return [{ method: 'GET', path: '/status', access: 'public', handle: async () => plain({ status: 'ok' }) }];
}
