import type { Clock } from '@oakestra/daemon';

/** So many within a time, per key. */
export interface RateLimit {
  /** 0: granted and counted. Otherwise the time after which it would be. */
  waitMs(key: string): number;
}

const MOST_KEYS = 10_000;

export function createRateLimit(options: {
  readonly clock: Clock;
  readonly most: number;
  readonly windowMs: number;
}): RateLimit {
  const { clock, most, windowMs } = options;
  const grantedMs = new Map<string, number[]>();
  return {
    waitMs(key) {
      const nowMs = clock.monotonicMs();
      const recent = (grantedMs.get(key) ?? []).filter((atMs) => nowMs - atMs < windowMs);
      const oldest = recent[0];
      if (recent.length >= most && oldest !== undefined) return oldest + windowMs - nowMs;
      grantedMs.delete(key);
      grantedMs.set(key, [...recent, nowMs]);
      if (grantedMs.size > MOST_KEYS) {
        const first = grantedMs.keys().next();
        if (first.done !== true) grantedMs.delete(first.value);
      }
      return 0;
    },
  };
}
