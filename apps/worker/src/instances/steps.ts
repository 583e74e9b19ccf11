import type { InstanceKey, TierReport } from '@oakestra/contracts';
import type { InstanceEntry, WorkerMeta } from '../journal/index.ts';

/** One step for the executor. Each is idempotent; each ends in exactly one `finished` event with its `attempt`. */
export type InstanceAction =
  /** Remove what is left of an earlier run, then start. */
  | {
      readonly kind: 'start';
      readonly key: InstanceKey;
      readonly attempt: number;
      readonly entry: InstanceEntry;
    }
  /** Stop and remove every trace; also cancels a start that is under way. */
  | {
      readonly kind: 'remove';
      readonly key: InstanceKey;
      readonly attempt: number;
      readonly entry: InstanceEntry;
      /** Between the stop signal and the kill. */
      readonly graceMs: number;
    }
  /** Keep running, under a newer epoch. */
  | { readonly kind: 'relabel'; readonly key: InstanceKey; readonly entry: InstanceEntry };

export type ActionResult =
  | { readonly kind: 'started' }
  | { readonly kind: 'start-failed'; readonly detail: string }
  | { readonly kind: 'removed' }
  | { readonly kind: 'remove-failed'; readonly detail: string };

export interface WorkerEffects {
  readonly writes: ReadonlyMap<InstanceKey, InstanceEntry | null>;
  readonly meta: WorkerMeta | undefined;
  readonly sends: readonly TierReport[];
  readonly actions: readonly InstanceAction[];
}
