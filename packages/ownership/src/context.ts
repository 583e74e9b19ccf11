import type { Epoch, InstanceKey, ServiceDocument, StatusWord, TierCommand } from '@oakestra/contracts';
import { compareEpochs } from '@oakestra/contracts';
import type { EffectCollector } from './effects.ts';
import type { EpochIssuer } from './epochs.ts';
import type { Member, Membership } from './members.ts';
import type { Durability, InstanceRecord } from './record.ts';
import type { SuspicionGuard } from './suspicion.ts';

export type Tier = 'root' | 'cluster';

/** One member as the scheduler sees it. Read it at once: it changes with the member. */
export interface CandidateMember {
  readonly id: string;
  readonly facts: NonNullable<Member['facts']>;
  readonly reservedMemoryMib: number;
}

export type ScheduleDecision =
  | { readonly kind: 'chosen'; readonly member: string; readonly reason: string }
  | { readonly kind: 'none'; readonly status: StatusWord; readonly detail: string };

/** The choice of a member: pure, given by the tier. */
export type Schedule = (request: {
  readonly document: ServiceDocument;
  readonly candidates: readonly CandidateMember[];
}) => ScheduleDecision;

export interface ArbiterTiming {
  /** A member whose connection was reset may come back this long before its instances are replaced. */
  readonly resetGraceMs: number;
  /** The same after silence, which itself took time to be noticed. */
  readonly silenceGraceMs: number;
  /** After a start of this process: time for the members to come back, of which some may just restart in order. */
  readonly startGraceMs: number;
  /** After the store was found to be lost or restored: time to learn from below. */
  readonly learnMs: number;
  /** Added to `stop-after`: covers what the two clocks and the network may differ by. */
  readonly fenceMarginMs: number;
  readonly resendFirstMs: number;
  readonly resendCapMs: number;
  readonly scheduleRetryFirstMs: number;
  readonly scheduleRetryCapMs: number;
  /** What waits for room is tried again when there may be some, but not more often than this. */
  readonly retryPauseMs: number;
  /** So many failed starts in a row, and another member is tried. */
  readonly failuresBeforeMove: number;
}

export const DEFAULT_TIMING: ArbiterTiming = {
  resetGraceMs: 1000,
  silenceGraceMs: 1000,
  startGraceMs: 30_000,
  learnMs: 15_000,
  fenceMarginMs: 5000,
  resendFirstMs: 2000,
  resendCapMs: 30_000,
  scheduleRetryFirstMs: 1000,
  scheduleRetryCapMs: 30_000,
  retryPauseMs: 250,
  failuresBeforeMove: 3,
};

/** What the decision about one instance may see and do. */
export interface ArbiterContext {
  readonly tier: Tier;
  readonly timing: ArbiterTiming;
  readonly guard: SuspicionGuard;
  readonly effects: EffectCollector;
  readonly epochs: EpochIssuer;
  readonly membership: Membership;
  readonly schedule: Schedule;
  nowMs(): number;
  wallMs(): number;
  member(id: string): Member | undefined;
  record(key: InstanceKey): InstanceRecord | undefined;
  /** Persists and publishes a changed record. */
  save(record: InstanceRecord, durability: Durability): void;
  erase(record: InstanceRecord): void;
  /** Sends unless the same was sent a short time ago; repeats until it is no longer asked for. */
  order(member: string, message: TierCommand): void;
  /** Nothing is asked of the member about this instance any more. */
  settle(member: string, key: InstanceKey): void;
  /** Decide again at this time. */
  wake(key: InstanceKey, atMs: number): void;
  decide(key: InstanceKey): void;
  backoff(key: InstanceKey): Backoff;
}

/** Pauses between attempts to place an instance for which there is no room. */
export interface Backoff {
  mayTry(): boolean;
  /** Says when to try again. */
  failed(): number;
  reset(): void;
}

/** The root does not look at the cluster's part of an epoch: that one is the cluster's own business. */
export function comparePlacements(tier: Tier, a: Epoch, b: Epoch): number {
  return tier === 'root' ? a.root - b.root : compareEpochs(a, b);
}
