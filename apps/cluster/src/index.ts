export { type ClusterCore, type ClusterEffects, createClusterCore } from './instances/index.ts';
