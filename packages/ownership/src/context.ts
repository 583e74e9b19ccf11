import type { InstanceKey, ServiceDocument, TierCommand } from '@oakestra/contracts';
import type { EffectCollector } from './effects.ts';
import type { EpochIssuer } from './epochs.ts';
import type { Member, Membership } from './members.ts';
import type { Durability, InstanceRecord } from './record.ts';
import type { Schedule } from './schedule.ts';
import type { SuspicionGuard } from './suspicion.ts';
import type { Tier } from './tier.ts';
import type { ArbiterTiming } from './timing.ts';

/** What the decision about one instance may see and do. */
export interface ArbiterContext {
  readonly tier: Tier;
  readonly timing: ArbiterTiming;
  readonly guard: SuspicionGuard;
  readonly effects: EffectCollector;
  readonly epochs: EpochIssuer;
  readonly membership: Membership;
  readonly schedule: Schedule;
  hasValues(document: ServiceDocument): boolean;
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
  /** A member reports an instance that we did not give to it. */
  noteStranger(member: Member, key: InstanceKey): void;
  backoff(key: InstanceKey): Backoff;
}

/** Pauses between attempts to place an instance for which there is no room. */
export interface Backoff {
  /** Monotonic time before which it makes no sense to try. */
  notBeforeMs(): number;
  /** Says when to try again. */
  failed(): number;
  reset(): void;
}
