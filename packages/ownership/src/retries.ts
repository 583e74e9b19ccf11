import type { InstanceKey } from '@oakestra/contracts';
import type { Backoff } from './context.ts';
import type { ArbiterTiming } from './timing.ts';

/** When to try again to place what found no room. */
export interface Retries {
  backoff(key: InstanceKey): Backoff;
  forget(key: InstanceKey): void;
  /** There may be room now: says when all that waits may try again. */
  mayHaveRoom(): number;
  /** Call when they try. */
  started(): void;
}

export function createRetries(timing: ArbiterTiming, nowMs: () => number): Retries {
  const states = new Map<InstanceKey, { attempts: number; notBeforeMs: number }>();
  let lastMs = Number.NEGATIVE_INFINITY;

  return {
    backoff: (key) => ({
      notBeforeMs: () => states.get(key)?.notBeforeMs ?? 0,
      failed() {
        const attempts = states.get(key)?.attempts ?? 0;
        const delayMs = Math.min(timing.scheduleRetryCapMs, timing.scheduleRetryFirstMs * 2 ** attempts);
        states.set(key, { attempts: attempts + 1, notBeforeMs: nowMs() + delayMs });
        return nowMs() + delayMs;
      },
      reset: () => void states.delete(key),
    }),
    forget: (key) => void states.delete(key),
    mayHaveRoom: () => Math.max(nowMs(), lastMs + timing.retryPauseMs),
    started() {
      lastMs = nowMs();
      for (const state of states.values()) state.notBeforeMs = 0;
    },
  };
}
