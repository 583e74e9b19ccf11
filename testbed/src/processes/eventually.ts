import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, OakestraError } from '@oakestra/contracts';

export interface EventuallyOptions {
  readonly timeoutMs: number;
  /** What is waited for, as it stands after "waited for" in the failure: `instance 0 to be RUNNING`. */
  readonly describe: string;
  /** Pause between two checks; default 50. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Repeats `check` until it returns something other than undefined, null or false without throwing, and returns that.
 * After `timeoutMs` it fails with what the last check said; a check that hangs counts as failed.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs, describe, intervalMs = 50, signal }: EventuallyOptions,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + timeoutMs;
  let failure: unknown = 'no check ended in time';
  for (;;) {
    signal?.throwIfAborted();
    const remainingMs = deadline - performance.now();
    if (remainingMs <= 0) break;
    const outcome = await oneCheck(check, remainingMs);
    if ('value' in outcome) {
      const { value } = outcome;
      if (value !== undefined && value !== null && value !== false) {
        return value as Exclude<T, undefined | null | false>;
      }
      failure = `the check returned ${String(value)}`;
    } else if (outcome.failure !== undefined) {
      failure = outcome.failure;
    }
    await delay(
      Math.max(0, Math.min(intervalMs, deadline - performance.now())),
      undefined,
      signal ? { signal } : {},
    );
  }
  throw new OakestraError(
    'timeout',
    'condition-not-met',
    `waited ${timeoutMs} ms for ${describe}; last: ${messageOf(failure)}`,
    { cause: failure },
  );
}

async function oneCheck<T>(
  check: () => T | Promise<T>,
  timeoutMs: number,
): Promise<{ value: T } | { failure: unknown }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<{ failure: undefined }>((resolve) => {
    timer = setTimeout(() => resolve({ failure: undefined }), timeoutMs);
  });
  const run = async () => {
    try {
      return { value: await check() };
    } catch (thrown) {
      return { failure: thrown ?? 'the check threw nothing' };
    }
  };
  try {
    return await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}
