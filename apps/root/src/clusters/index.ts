export type { Clusters, ClusterView } from './clusters.ts';
