import type { DeploymentEngine } from '../deployments/index.ts';

/** What clusters of the original need of the part that decides. */
export type LegacyEngine = Pick<
  DeploymentEngine,
  | 'clusterUp'
  | 'clusterDown'
  | 'clusterReport'
  | 'heldEpoch'
  | 'incarnation'
  | 'isKnown'
  | 'isLearning'
  | 'service'
>;
