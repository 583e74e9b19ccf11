import type { Clock } from './clock.ts';
import { sleep } from './deadline.ts';
import type { Random } from './random.ts';

export interface BackoffSpan {
  /** 1 after the first failure. */
  readonly attempt: number;
  /** Upper bound of the first delay; doubles with each attempt. */
  readonly baseMs: number;
  /** Upper bound of every delay. */
  readonly capMs: number;
}

/**
 * Exponential backoff with full jitter: anything from 0 to min(cap, base × 2^(attempt−1)), evenly distributed, so
 * that many clients that failed together do not come back together.
 */
export function backoffDelayMs(
  { attempt, baseMs, capMs }: BackoffSpan,
  random: Pick<Random, 'fraction'>,
): number {
  // The exponent is bounded because 0 × Infinity would be NaN.
  const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 60));
  return random.fraction() * ceilingMs;
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
  /** Default 100 ms. */
  readonly baseMs?: number;
  /** Default 10 s. */
  readonly capMs?: number;
  /** How often `operation` is called in total. Default: until it succeeds or the signal aborts. */
  readonly maxAttempts?: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether a failure is worth another attempt. Default: every failure is. */
  readonly isRetryable?: (error: unknown, attempt: number) => boolean;
  /** A delay that the other side asked for ("Retry-After"); the backoff is added to it. */
  readonly minimumDelayMs?: (error: unknown) => number | undefined;
  /** Told before each wait: the place to log. */
  readonly onRetry?: (failure: {
    readonly error: unknown;
    readonly attempt: number;
    readonly delayMs: number;
  }) => void;
}

/**
 * Calls `operation` until it succeeds. Rejects with the last failure when that is not retryable or attempts are
 * used up, and with the signal's reason once the signal aborts, also between attempts.
 */
export async function retry<T>(
  operation: (attempt: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const {
    clock,
    random,
    signal,
    baseMs = 100,
    capMs = 10_000,
    maxAttempts = Number.POSITIVE_INFINITY,
  } = options;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt >= maxAttempts || options.isRetryable?.(error, attempt) === false) throw error;
      const delayMs =
        (options.minimumDelayMs?.(error) ?? 0) + backoffDelayMs({ attempt, baseMs, capMs }, random);
      options.onRetry?.({ error, attempt, delayMs });
      await sleep(clock, delayMs, signal);
    }
  }
}
