import type { Epoch, InstanceKey, ServiceDocument } from '@oakestra/contracts';

/**
 * How an instance ended for good on this worker. `completed`: a one-shot that succeeded; `given-up`: an at-most-once
 * one-shot that failed; `fenced`: stopped because the cluster was out of reach for too long.
 */
export type Outcome = 'completed' | 'given-up' | 'fenced';

/** What the journal keeps of one instance. Replaced, never changed in place. */
export interface InstanceEntry {
  readonly key: InstanceKey;
  readonly epoch: Epoch;
  readonly wanted: 'running' | 'removed';
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
  readonly outcome: Outcome | null;
  /** Why it ended, for people. */
  readonly outcomeDetail: string;
  /** The image by its digest, once its tag was resolved: restarts of this instance use the same one. */
  readonly pinnedImage: string | null;
}

/** What the journal keeps of the worker itself. */
export interface WorkerMeta {
  readonly incarnation: string;
  readonly highestEpoch: Epoch;
  /**
   * Fenceable instances that survived a start of this process must stop by this time (monotonic since the boot of
   * the machine) unless the cluster is heard before. Kept, so that a process that starts again and again fences too.
   */
  readonly fenceByMs: number | null;
}
