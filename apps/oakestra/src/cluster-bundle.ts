import { clusterSettings, composeCluster } from '@oakestra/cluster';
import { runTier } from './run-tier.ts';
import type { Machine, Tier } from './tier.ts';

export const tier: Tier<typeof clusterSettings> = {
  role: 'cluster',
  summary:
    'The cluster joins a root, takes workers in, places instances on them, and keeps them running while the root is away.',
  settings: clusterSettings,
  compose: composeCluster,
};

export const run = (argv: readonly string[], machine: Machine): Promise<number> =>
  runTier(tier, argv, machine);
