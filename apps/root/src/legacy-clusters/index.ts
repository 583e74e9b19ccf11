export { isSuccessor, openLegacyBook } from './legacy-book.ts';
export { createLegacyClusters, type LegacyClusters } from './legacy-clusters.ts';
export { type LegacyClustersSchema, legacyClustersMigrations } from './schema.ts';
