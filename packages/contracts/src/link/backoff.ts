import type { LinkRandom } from './ports.ts';

/** When to try again: anything between 0 and a bound that doubles with each failure, so that peers do not come at once. */
export interface Backoff {
  /** Milliseconds to wait before the next try. */
  next(): number;
  /** It worked: start over. */
  reset(): void;
  /** It makes no sense to hurry: the next bound is the longest. */
  slowDown(): void;
}

export interface BackoffSettings {
  /** Bound of the first wait. */
  readonly firstMs: number;
  readonly longestMs: number;
}

export function createBackoff(settings: BackoffSettings, random: LinkRandom): Backoff {
  let boundMs = settings.firstMs;
  return {
    next() {
      const delayMs = Math.round(random.fraction() * boundMs);
      boundMs = Math.min(boundMs * 2, settings.longestMs);
      return delayMs;
    },
    reset() {
      boundMs = settings.firstMs;
    },
    slowDown() {
      boundMs = settings.longestMs;
    },
  };
}
