export { createClusterViews } from './cluster-views.ts';
export type { Clusters, ClusterView } from './clusters.ts';
export { createClusterLinks } from './links.ts';
export { type ClusterRegistry, openClusterRegistry, type RegisteredCluster } from './registry.ts';
export { type ClustersSchema, clustersMigrations } from './schema.ts';
