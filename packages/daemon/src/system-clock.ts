import { readFileSync } from 'node:fs';
import type { CancelTimer, Clock } from './clock.ts';

const CHECK_EVERY_MS = 1000;
const SUSPEND_THRESHOLD_MS = 1000;
/** Timers longer than this are looked at again after a suspend; shorter ones are late by no more than this. */
const LONG_TIMER_MS = 2000;
const NODE_TIMER_LIMIT_MS = 2 ** 31 - 1;

/** Where the system clock reads its time; tests give their own. */
export interface ClockSources {
  readonly wallMs: () => number;
  /** Monotonic and fine-grained, but stands still while the machine is suspended. */
  readonly awakeMs: () => number;
  /** Coarse, counts suspend. `undefined` where the kernel does not tell. */
  readonly bootMs: () => number | undefined;
}

/**
 * The clock of the machine. `monotonicMs()` has the grain of the high resolution timer and counts time spent in
 * suspend: it is compared with the kernel's uptime at most once a second, and corrected when both differ by more
 * than a second. A timer longer than 2 s fires within 2 s of its due time also when the machine slept meanwhile.
 * Timers do not keep the process alive.
 */
export function systemClock(sources: ClockSources = machineSources()): Clock {
  const monotonicMs = suspendAware(sources);
  const longTimers = new Set<LongTimer>();
  let watch: NodeJS.Timeout | undefined;

  const watchLongTimers = () => {
    watch ??= setInterval(() => {
      const now = monotonicMs();
      for (const timer of longTimers) if (timer.dueMs <= now) timer.fire();
    }, LONG_TIMER_MS).unref();
  };
  const forget = (timer: LongTimer) => {
    longTimers.delete(timer);
    if (longTimers.size > 0) return;
    clearInterval(watch);
    watch = undefined;
  };
  const setLongTimer = (delayMs: number, action: () => void): CancelTimer => {
    let handle: NodeJS.Timeout;
    const cancel = () => {
      clearTimeout(handle);
      forget(timer);
    };
    const timer: LongTimer = {
      dueMs: monotonicMs() + delayMs,
      fire: () => {
        cancel();
        action();
      },
    };
    const arm = () => {
      const remainingMs = Math.max(timer.dueMs - monotonicMs(), 0);
      const isLastStretch = remainingMs <= NODE_TIMER_LIMIT_MS;
      handle = setTimeout(
        isLastStretch ? timer.fire : arm,
        Math.min(remainingMs, NODE_TIMER_LIMIT_MS),
      ).unref();
    };
    longTimers.add(timer);
    watchLongTimers();
    arm();
    return cancel;
  };

  return {
    nowMs: sources.wallMs,
    monotonicMs,
    setTimer(delayMs, action) {
      if (!(delayMs >= 0)) throw new RangeError(`a timer needs a delay of 0 ms or more, not ${delayMs}`);
      if (delayMs > LONG_TIMER_MS) return setLongTimer(delayMs, action);
      const handle = setTimeout(action, delayMs).unref();
      return () => clearTimeout(handle);
    },
  };
}

interface LongTimer {
  readonly dueMs: number;
  readonly fire: () => void;
}

function suspendAware(sources: ClockSources): () => number {
  const awakeOriginMs = sources.awakeMs();
  const bootOriginMs = sources.bootMs();
  let checkedAtMs = awakeOriginMs;
  let suspendedMs = 0;
  return () => {
    const awakeMs = sources.awakeMs();
    if (bootOriginMs !== undefined && awakeMs - checkedAtMs >= CHECK_EVERY_MS) {
      checkedAtMs = awakeMs;
      const bootMs = sources.bootMs() ?? bootOriginMs;
      const behindMs = bootMs - bootOriginMs - (awakeMs - awakeOriginMs);
      // Only ever forward: a clock that took back a correction would not be monotonic.
      if (behindMs - suspendedMs > SUSPEND_THRESHOLD_MS) suspendedMs = behindMs;
    }
    return awakeMs + suspendedMs;
  };
}

function machineSources(): ClockSources {
  return {
    wallMs: Date.now,
    awakeMs: () => Number(process.hrtime.bigint()) / 1e6,
    bootMs: () => {
      try {
        const seconds = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
        return Number.isFinite(seconds) ? seconds * 1000 : undefined;
      } catch {
        return undefined;
      }
    },
  };
}
