import type { Clock } from './clock.ts';

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /**
   * Moves time forward, firing due timers in order, each at its own time; promises that became ready settle
   * between two timers.
   */
  advance(byMs: number): Promise<void>;
  /** Jumps as a suspended machine does: time passes first, overdue timers fire only afterwards. */
  suspend(forMs: number): Promise<void>;
  /** Moves the wall clock alone, as an administrator or NTP does. */
  jumpWallClock(byMs: number): void;
  /** Timers that are set and have not fired. */
  readonly pendingTimers: number;
}

/** A virtual clock for tests: begins at monotonic 0 and at the wall time `startMs` (default 2026-01-01). */
export function createManualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  interface Timer {
    readonly dueMs: number;
    readonly action: () => void;
  }
  const timers = new Set<Timer>();
  let elapsedMs = 0;
  let wallOffsetMs = startMs;

  const nextDue = (untilMs: number): Timer | undefined => {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  };
  const fireUntil = async (untilMs: number): Promise<void> => {
    await settle();
    for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
      timers.delete(timer);
      elapsedMs = Math.max(elapsedMs, timer.dueMs);
      timer.action();
      await settle();
    }
  };

  return {
    nowMs: () => wallOffsetMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    setTimer(delayMs, action) {
      if (!(delayMs >= 0)) throw new RangeError(`a timer needs a delay of 0 ms or more, not ${delayMs}`);
      const timer = { dueMs: elapsedMs + delayMs, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async advance(byMs) {
      const untilMs = elapsedMs + byMs;
      await fireUntil(untilMs);
      elapsedMs = untilMs;
    },
    async suspend(forMs) {
      elapsedMs += forMs;
      await fireUntil(elapsedMs);
    },
    jumpWallClock(byMs) {
      wallOffsetMs += byMs;
    },
    get pendingTimers() {
      return timers.size;
    },
  };
}

/** One turn of the event loop: every promise chain that can run has run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
