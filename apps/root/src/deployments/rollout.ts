import type { InstanceKey, ServiceDocument } from '@oakestra/contracts';
import type { InstanceRecord } from '@oakestra/ownership';

/** How the instances of a service are replaced by ones of another revision. */
export interface RolloutSettings {
  /** So many of the wanted instances may be missing meanwhile; 0: a new one runs before an old one is stopped. */
  readonly maxUnavailable: number;
  /** A new instance counts when it was healthy for this long without a break. */
  readonly settleMs: number;
  /** Without any progress for this long, the service goes back to what it was. */
  readonly giveUpMs: number;
}

const DEFAULT_SETTLE_MS = 10_000;
const DEFAULT_GIVE_UP_MS = 300_000;

/**
 * Nothing is missing meanwhile, except where a port is published: two instances cannot hold it on one worker, so
 * there the old one ends first.
 */
export function defaultRolloutSettings({ port }: ServiceDocument): RolloutSettings {
  const maxUnavailable = typeof port === 'string' && port !== '' ? 1 : 0;
  return { maxUnavailable, settleMs: DEFAULT_SETTLE_MS, giveUpMs: DEFAULT_GIVE_UP_MS };
}

/** A change that is under way. The service's document is what it leads to. */
export interface ActiveRollout {
  readonly settings: RolloutSettings;
  /** How many instances there are to be at the end. */
  readonly desired: number;
  /** What to go back to; null: this is the way back, and there is no other. */
  readonly previous: ServiceDocument | null;
  /** Unix milliseconds. */
  readonly startedAtMs: number;
}

/** How the last change of a service ended. */
export interface RolloutOutcome {
  readonly kind: 'completed' | 'rolled-back';
  /** Of the revision that was tried. */
  readonly revision: number;
  readonly detail: string;
  /** Unix milliseconds. */
  readonly atMs: number;
}

/** What the root keeps of the changes of a service. */
export interface RolloutState {
  /** The highest number that was given to a revision; one that failed is not used again. */
  readonly lastRevision: number;
  readonly active?: ActiveRollout;
  readonly outcome?: RolloutOutcome;
}

/** Counts the versions of a service, from 1. It travels in the document, so that clusters can tell a root that lost it. */
export function revisionOf({ service_revision: revision }: ServiceDocument): number {
  return typeof revision === 'number' ? revision : 1;
}

export function withRevision(document: ServiceDocument, revision: number): ServiceDocument {
  const { service_revision: _, ...plain } = document;
  return (revision === 1 ? plain : { ...plain, service_revision: revision }) as ServiceDocument;
}

/** An instance of the service as the plan sees it. */
export interface RolloutInstance {
  readonly key: InstanceKey;
  readonly number: number;
  readonly isNew: boolean;
  /** Healthy for long enough. */
  readonly isSettled: boolean;
  /** Serves users now, settled or not. */
  readonly isHealthy: boolean;
}

export interface RolloutSituation {
  readonly desired: number;
  readonly maxUnavailable: number;
  /** Those that are wanted. */
  readonly instances: readonly RolloutInstance[];
  /** So many are still being stopped by members that can be reached: their ports and memory are taken. */
  readonly leaving: number;
}

export interface RolloutStep {
  readonly remove: readonly InstanceKey[];
  readonly add: number;
  readonly isDone: boolean;
}

/**
 * The next step, as Kubernetes describes it for its deployments (maximum unavailable and surge; surge is one where
 * nothing may be missing, else none): new ones as far as there is room for them, old ones as far as enough others
 * serve. What does not serve anyway goes first.
 */
export function planRollout({ desired, maxUnavailable, instances, leaving }: RolloutSituation): RolloutStep {
  const fresh = instances.filter(({ isNew }) => isNew);
  const old = instances.filter(({ isNew }) => !isNew);
  const surge = maxUnavailable === 0 ? 1 : 0;

  const surplus = [...fresh].sort(byUsefulness).slice(desired);
  const broken = old.filter(({ isHealthy }) => !isHealthy);
  const serving = old.filter(({ isHealthy }) => isHealthy).sort((a, b) => a.number - b.number);
  const settled = fresh.filter(({ isSettled }) => isSettled).length;
  const dispensable = serving.length + settled - (desired - maxUnavailable);
  const remove = [...surplus, ...broken, ...serving.slice(0, Math.max(0, dispensable))];

  // What is told to stop still takes its place.
  const room = desired + surge - instances.length - leaving;
  const missing = desired - (fresh.length - surplus.length);
  const isWhole = settled === desired && fresh.length === desired;
  return {
    remove: remove.map(({ key }) => key),
    add: Math.max(0, Math.min(missing, room)),
    isDone: old.length === 0 && isWhole,
  };
}

/** Settled ones first, then healthy ones, then the older number. */
function byUsefulness(a: RolloutInstance, b: RolloutInstance): number {
  const worth = ({ isSettled, isHealthy }: RolloutInstance): number =>
    Number(isSettled) * 2 + Number(isHealthy);
  return worth(b) - worth(a) || a.number - b.number;
}

/** Readiness takes the place of this. */
export function isHealthy({ phase }: InstanceRecord): boolean {
  return phase === 'running';
}
