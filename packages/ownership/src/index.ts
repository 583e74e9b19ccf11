export { type Arbiter, type ArbiterOptions, createArbiter, type StoredState } from './arbiter.ts';
export type { Effects, EpochState, Notice } from './effects.ts';
export type { Intent } from './intents.ts';
export type { Availability, Member, MemberMark } from './members.ts';
export { type OnDisconnect, type PlacementPolicy, policyOf } from './policy.ts';
export type { DownReason } from './presence.ts';
export { createPump, type Pump, type PumpedCore, type PumpOptions } from './pump.ts';
export {
  type Durability,
  type InstanceRecord,
  type Placement,
  type PlacementRole,
  placementOf,
} from './record.ts';
export { createReporter, DEFAULT_REPORTER_TIMING, type Reporter, type ReporterTiming } from './reporter.ts';
export type { CandidateMember, PlacementNote, Rejection, Schedule, ScheduleDecision } from './schedule.ts';
export { DEFAULT_SUSPICION, type SuspicionSettings } from './suspicion.ts';
export { comparePlacements, type Tier } from './tier.ts';
export { type ArbiterTiming, DEFAULT_TIMING } from './timing.ts';
