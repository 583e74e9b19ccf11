export type { Assignment } from './assignments.ts';
export { type ClusterCore, type ClusterEffects, createClusterCore } from './core.ts';
export { type InstanceEngine, startInstances } from './engine.ts';
export { type InstancesSchema, instancesMigrations } from './schema.ts';
