import { compareEpochs, type Epoch } from '@oakestra/contracts';

export type Tier = 'root' | 'cluster';

/** The root does not look at the cluster's part of an epoch: that one is the cluster's own business. */
export function comparePlacements(tier: Tier, a: Epoch, b: Epoch): number {
  return tier === 'root' ? a.root - b.root : compareEpochs(a, b);
}
