import type { Clock } from './clock.ts';

export interface EventLoopLagOptions {
  readonly clock: Clock;
  /** Lag from which on `onLag` is called. Default 500 ms. */
  readonly thresholdMs?: number;
  /** Distance of the measurements; a stall looks shorter than it was by up to this much. Default 100 ms. */
  readonly intervalMs?: number;
  /** Called once per measurement above the threshold, as soon as the loop runs again. Must not throw. */
  readonly onLag?: (lagMs: number) => void;
}

export interface EventLoopLagWatch {
  /**
   * How late the loop is. Includes a measurement that is overdue right now, so that a timer that fires in the same
   * turn after a stall can already see it.
   */
  lagMs(): number;
  /** The largest lag since the last call of this function. */
  takeMaximumMs(): number;
  /** Whether the lag was above the threshold at any moment of the last `windowMs`. */
  wasLateWithin(windowMs: number): boolean;
  /** Idempotent. */
  stop(): void;
}

/**
 * Watches the own event loop, so that a tier that was frozen itself (busy, suspended, starved) does not take the
 * silence of others for their death.
 */
export function watchEventLoopLag(options: EventLoopLagOptions): EventLoopLagWatch {
  const { clock, thresholdMs = 500, intervalMs = 100, onLag } = options;
  let dueMs = 0;
  let latestMs = 0;
  let maximumMs = 0;
  let lateAtMs = Number.NEGATIVE_INFINITY;
  let isStopped = false;
  let cancel = () => {};

  const overdueMs = () => (isStopped ? 0 : Math.max(clock.monotonicMs() - dueMs, 0));
  const currentMs = () => Math.max(latestMs, overdueMs());
  const arm = () => {
    dueMs = clock.monotonicMs() + intervalMs;
    cancel = clock.setTimer(intervalMs, measure);
  };
  const measure = () => {
    latestMs = overdueMs();
    maximumMs = Math.max(maximumMs, latestMs);
    const isLate = latestMs > thresholdMs;
    if (isLate) lateAtMs = clock.monotonicMs();
    arm();
    if (isLate) onLag?.(latestMs);
  };
  arm();

  return {
    lagMs: currentMs,
    takeMaximumMs() {
      const taken = Math.max(maximumMs, overdueMs());
      maximumMs = 0;
      return taken;
    },
    wasLateWithin: (windowMs) => currentMs() > thresholdMs || clock.monotonicMs() - lateAtMs <= windowMs,
    stop() {
      isStopped = true;
      cancel();
    },
  };
}
