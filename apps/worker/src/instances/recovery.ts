import { compareEpochs, type Epoch, type InstanceKey, type ServiceDocument } from '@oakestra/contracts';
import { policyOf } from '@oakestra/ownership';
import type { InstanceEntry } from '../journal/index.ts';
import type { Holdings } from './holdings.ts';

/** An instance that the runtime already had when this process started. */
export interface FoundInstance {
  readonly key: InstanceKey;
  readonly epoch: Epoch;
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
  readonly isRunning: boolean;
  /** How it ended, when that is known. */
  readonly exit?: Exit;
}

export interface Exit {
  readonly code: number;
  readonly detail: string;
}

export interface RecoveryOptions {
  readonly holdings: Holdings;
  readonly nowMs: () => number;
  readonly ended: (entry: InstanceEntry, exit: Exit) => void;
  /** It runs and must be stopped when the cluster is not heard soon. */
  readonly guard: (entry: InstanceEntry) => void;
}

/** Continues after a start of this process: what runs is adopted, what should run is started. */
export function recover(options: RecoveryOptions, found: readonly FoundInstance[]): void {
  const { holdings } = options;
  for (const instance of found) adopt(options, instance);
  for (const instance of found) {
    const entry = holdings.entries.get(instance.key);
    const isOpen = entry?.wanted === 'running' && entry.outcome === null;
    // A job that is done is done, whatever its policy says of the time without contact.
    if (isOpen && instance.exit !== undefined && mayEnd(entry)) options.ended(entry, instance.exit);
  }
  for (const entry of [...holdings.entries.values()]) settle(options, entry);
  for (const key of [...holdings.entries.keys()]) holdings.decide(key);
}

function mayEnd(entry: InstanceEntry): boolean {
  const policy = policyOf(entry.document);
  return policy.isOneShot || policy.onDisconnect.kind !== 'stop-after';
}

function adopt({ holdings, nowMs }: RecoveryOptions, instance: FoundInstance): void {
  const present = holdings.entries.get(instance.key);
  if (present === undefined || compareEpochs(instance.epoch, present.epoch) > 0) {
    // Our journal was lost or is older than the container: unknown means adopt.
    holdings.sawEpoch(instance.epoch);
    holdings.write({
      key: instance.key,
      epoch: instance.epoch,
      wanted: 'running',
      document: instance.document,
      ownerUserId: instance.ownerUserId,
      outcome: null,
      outcomeDetail: '',
      pinnedImage: null,
    });
  }
  const live = holdings.live(instance.key);
  live.activity = instance.isRunning ? 'running' : 'waiting';
  live.phase = instance.isRunning ? 'running' : 'dead';
  live.startedAtMs = nowMs();
  live.heldEpoch = instance.epoch;
}

const UNKNOWN = 'It is unknown whether it ran before the worker restarted; at-most-once forbids another try';

/** What an instance may do after a start of this process, when its policy says more than "run". */
function settle({ holdings, guard }: RecoveryOptions, entry: InstanceEntry): void {
  if (entry.wanted !== 'running' || entry.outcome !== null) return;
  const policy = policyOf(entry.document);
  const { activity } = holdings.live(entry.key);
  if (policy.isAtMostOnce && activity === 'absent') {
    holdings.write({ ...entry, outcome: 'given-up', outcomeDetail: UNKNOWN });
  } else if (policy.onDisconnect.kind === 'stop-after') {
    // How long contact was lost before this start is unknown: wait for the cluster's word.
    if (activity === 'running') guard(entry);
    else holdings.fence(entry, 'Waiting for the cluster after a restart');
  }
}
