export {
  type Arbiter,
  type ArbiterOptions,
  createArbiter,
  type DownReason,
  type Intent,
  type StoredState,
} from './arbiter.ts';
export {
  type ArbiterTiming,
  type CandidateMember,
  comparePlacements,
  DEFAULT_TIMING,
  type Schedule,
  type ScheduleDecision,
  type Tier,
} from './context.ts';
export type { Effects, Notice } from './effects.ts';
export type { Member } from './members.ts';
export { type OnDisconnect, type PlacementPolicy, policyOf } from './policy.ts';
export { createPump, type Pump, type PumpedCore, type PumpOptions } from './pump.ts';
export {
  type Durability,
  type InstanceRecord,
  type Placement,
  type PlacementRole,
  placementOf,
} from './record.ts';
export { createReporter, DEFAULT_REPORTER_TIMING, type Reporter, type ReporterTiming } from './reporter.ts';
export { DEFAULT_SUSPICION, type SuspicionSettings } from './suspicion.ts';
