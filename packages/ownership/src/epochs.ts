import type { Epoch, InstanceKey } from '@oakestra/contracts';
import type { EffectCollector, EpochState } from './effects.ts';
import { type OnDisconnect, policyOf } from './policy.ts';
import type { InstanceRecord } from './record.ts';
import type { Tier } from './tier.ts';
import type { ArbiterTiming } from './timing.ts';

/** Where the clock is no help, a new life begins at a place where an earlier one hardly was. */
const SPREAD = 1_000_003;

/** Gives out epochs, and notices when others have seen newer ones than our store knows. */
export interface EpochIssuer {
  state(): EpochState;
  next(record: Pick<InstanceRecord, 'authority'>): Epoch;
  /** Someone below has this epoch from us. */
  learnFrom(epoch: Epoch): void;
  /** Our store lacks what happened since; `seen`: the highest number known to have been given out. */
  storeWasRestored(seen: number): void;
  /** An earlier process noticed that, and did not live to learn everything. */
  learnOn(): void;
  isLearning(): boolean;
  /** 0: not learning. */
  learningUntilMs(): number;
  /** Until when nothing is concluded from what our store or a member does not know of this instance; 0: no wait. */
  learnedAtMs(record: InstanceRecord): number;
  /** Did this store give out the number, and would it therefore remember what it was for? */
  gaveOut(number: number): boolean;
  tick(): void;
  nextDeadlineMs(): number | undefined;
}

interface Learning {
  readonly untilMs: number;
  /** Instances whose latest history may be missing, and until when that is to be expected. */
  readonly doubted: ReadonlyMap<InstanceKey, number>;
  /** The end of all of it. */
  readonly endsAtMs: number;
}

export function createEpochIssuer(options: {
  readonly tier: Tier;
  readonly stored: { readonly counter: number; readonly incarnation: string; readonly floor?: number };
  readonly timing: ArbiterTiming;
  readonly effects: EffectCollector;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  readonly mintIncarnation: () => string;
  readonly records: () => Iterable<InstanceRecord>;
  /** Called when learning begins. */
  readonly onRestored: () => void;
}): EpochIssuer {
  const { tier, timing, effects, nowMs } = options;
  let { counter, incarnation, floor = 0 } = options.stored;
  let learning: Learning | undefined;
  /** When what this process knows began; undefined: it has known all along. */
  let bornAtMs: number | undefined;

  const state = (): EpochState => ({ counter, incarnation, floor });

  const moveTo = (number: number): void => {
    counter = number;
    effects.counterChanged(state());
  };

  /**
   * The first number of a new life is above all of an earlier one that was lost, if clocks are roughly right: nobody
   * makes a placement each millisecond.
   */
  const firstNumber = (): number => Math.floor(options.wallMs());

  const startLearning = (): Learning => {
    const sinceMs = nowMs();
    bornAtMs = sinceMs;
    const untilMs = sinceMs + timing.learnMs;
    const doubted = new Map<InstanceKey, number>();
    let endsAtMs = untilMs;
    for (const record of options.records()) {
      const learnedAtMs = Math.max(untilMs, sinceMs + fenceMsOf(record, timing));
      doubted.set(record.key, learnedAtMs);
      endsAtMs = Math.max(endsAtMs, learnedAtMs);
    }
    return { untilMs, doubted, endsAtMs };
  };

  const storeWasRestored = (seen: number): void => {
    if (learning !== undefined) {
      if (seen > counter) moveTo(seen);
      return;
    }
    effects.notice({ kind: 'store-restored', seen, own: counter });
    incarnation = options.mintIncarnation();
    learning = startLearning();
    const isClockBehind = counter >= firstNumber();
    const next = isClockBehind ? counter + 1 + spreadOf(incarnation) : firstNumber();
    floor = Math.max(seen + 1, next);
    moveTo(floor);
    options.onRestored();
  };

  return {
    state,
    next(record) {
      const number = counter === 0 ? firstNumber() : counter + 1;
      if (floor === 0) floor = number;
      moveTo(number);
      return tier === 'root' ? { root: counter, cluster: 0 } : { root: record.authority, cluster: counter };
    },
    learnFrom(epoch) {
      const seen = tier === 'root' ? epoch.root : epoch.cluster;
      if (seen > counter) storeWasRestored(seen);
    },
    storeWasRestored,
    learnOn() {
      learning ??= startLearning();
    },
    isLearning: () => learning !== undefined && nowMs() < learning.untilMs,
    learningUntilMs: () => learning?.untilMs ?? 0,
    learnedAtMs(record) {
      const doubtedUntilMs = learning?.doubted.get(record.key);
      if (doubtedUntilMs !== undefined) return doubtedUntilMs;
      // The root counts on: what it wants now is new. A cluster cannot tell what it was given before.
      if (tier === 'root' || bornAtMs === undefined) return 0;
      return Math.max(learning?.untilMs ?? 0, bornAtMs + fenceMsOf(record, timing));
    },
    gaveOut: (number) => floor > 0 && number >= floor && number <= counter,
    tick() {
      if (learning !== undefined && nowMs() >= learning.endsAtMs) learning = undefined;
    },
    nextDeadlineMs: () => learning?.endsAtMs,
  };
}

function spreadOf(incarnation: string): number {
  let sum = 7;
  for (const letter of incarnation) sum = (sum * 31 + letter.charCodeAt(0)) % SPREAD;
  return sum;
}

/**
 * Must a holder be heard again before another may run it? Of `stop-after` the workers of a silent cluster know
 * nothing: they hear their cluster, not the root.
 */
export function isNeverFenced(tier: Tier, onDisconnect: OnDisconnect): boolean {
  return onDisconnect.kind === 'wait' || (onDisconnect.kind === 'stop-after' && tier === 'root');
}

/** By then a holder out of reach has stopped a `stop-after` instance; 0 for the other policies. */
export function fenceMsOf(record: InstanceRecord, timing: ArbiterTiming): number {
  const { onDisconnect, stopGraceMs } = policyOf(record.document);
  return onDisconnect.kind === 'stop-after' ? onDisconnect.afterMs + stopGraceMs + timing.fenceMarginMs : 0;
}
