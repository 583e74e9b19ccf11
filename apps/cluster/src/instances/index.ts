export { type ClusterCore, type ClusterCoreOptions, type ClusterEffects, createClusterCore } from './core.ts';
