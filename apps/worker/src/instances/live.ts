import type { Epoch, InstancePhase, StatusWord } from '@oakestra/contracts';
import type { InstanceEntry } from '../journal/index.ts';

/** What is going on with an instance here and now; not stored. `waiting`: for its next start. */
export type Activity = 'absent' | 'starting' | 'running' | 'waiting' | 'removing';

/** One instance in this life of the process. */
export interface Live {
  activity: Activity;
  attempt: number;
  failures: number;
  startedAtMs: number;
  notBeforeMs: number;
  phase: InstancePhase;
  detail: string;
  /** For policies that fence: not later than this without contact; undefined: by the last contact. */
  fenceByMs: number | undefined;
  /** The placement that holds it, also while it is being removed: a tombstone holds nothing. */
  heldEpoch: Epoch | undefined;
}

export function createLive(): Live {
  return {
    activity: 'absent',
    attempt: 0,
    failures: 0,
    startedAtMs: 0,
    notBeforeMs: 0,
    phase: 'starting',
    detail: '',
    fenceByMs: undefined,
    heldEpoch: undefined,
  };
}

/** What the cluster is told of it. */
export function phaseOf(entry: InstanceEntry, live: Live): InstancePhase {
  if (entry.wanted === 'removed') return live.activity === 'absent' ? 'removed' : live.phase;
  switch (entry.outcome) {
    case 'completed':
      return 'completed';
    case 'given-up':
      return live.phase === 'failed' ? 'failed' : 'dead';
    case 'fenced':
      // Only when nothing is left running may another one start.
      return live.activity === 'absent' ? 'fenced' : live.phase;
    case null:
      return live.phase;
  }
}

export const STATUS_OF_PHASE: Readonly<Record<InstancePhase, StatusWord>> = {
  pending: 'REQUESTED',
  starting: 'CREATING',
  running: 'RUNNING',
  failed: 'FAILED',
  dead: 'DEAD',
  completed: 'COMPLETED',
  fenced: 'UNDEPLOYED',
  removed: 'UNDEPLOYED',
};
