import * as z from 'zod';

/**
 * Which placement of an instance is meant. Ordered by (root, cluster): the root raises the first number when it
 * gives an instance to a cluster, the cluster the second when it gives it to a worker. The higher epoch owns the
 * instance; everyone else is answered, never believed.
 */
export interface Epoch {
  readonly root: number;
  readonly cluster: number;
}

export const epochSchema = z.object({ root: z.int().min(0), cluster: z.int().min(0) });

/** Negative: `a` is older; 0: the same placement; positive: `a` is newer. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a.root - b.root || a.cluster - b.cluster;
}

export function formatEpoch(epoch: Epoch): string {
  return `${epoch.root}.${epoch.cluster}`;
}
