import type { Clock } from './clock.ts';
import { formatDuration } from './duration.ts';

/** Something did not finish in its time. The message says what and after how long. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  readonly kind = 'timeout';
  readonly code = 'deadline-exceeded';
  readonly timeoutMs: number;

  constructor(what: string, timeoutMs: number) {
    super(`${what} did not finish within ${formatDuration(timeoutMs)}`);
    this.timeoutMs = timeoutMs;
  }
}

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Subject of the error message: "pulling nginx". */
  readonly what: string;
  /** Ends the waiting early, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `operation` and rejects with a {@link DeadlineError} when it takes longer than `timeoutMs`, or with the
 * reason of `signal` when that aborts. Both also abort the signal that the operation receives; an operation
 * that ignores it goes on unseen, and its late failure is swallowed.
 */
export async function withDeadline<T>(
  operation: (signal: AbortSignal) => Promise<T> | T,
  { clock, timeoutMs, what, signal }: DeadlineOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const own = new AbortController();
  const giveUp = new Promise<never>((_, reject) => {
    own.signal.addEventListener('abort', () => reject(own.signal.reason), { once: true });
  });
  const cancelTimer = clock.setTimer(timeoutMs, () => own.abort(new DeadlineError(what, timeoutMs)));
  const passOn = () => own.abort(signal?.reason);
  signal?.addEventListener('abort', passOn, { once: true });
  try {
    return await Promise.race([callAsync(() => operation(own.signal)), giveUp]);
  } finally {
    cancelTimer();
    signal?.removeEventListener('abort', passOn);
  }
}

/** Waits `delayMs`. Rejects with the reason of `signal` as soon as that aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancelTimer();
      reject(signal?.reason);
    };
    const cancelTimer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

async function callAsync<T>(operation: () => Promise<T> | T): Promise<T> {
  return await operation();
}
