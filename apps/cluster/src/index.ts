export { type ClusterContext, composeCluster } from './compose.ts';
export {
  type Assignment,
  type ClusterCore,
  type ClusterEffects,
  createClusterCore,
} from './instances/index.ts';
export { type ClusterSettings, clusterSettings } from './settings.ts';
