import { type Clock, type Random, randomHex } from '@oakestra/daemon';

const STAMP_DIGITS = 15;
const COUNTER_DIGITS = 6;

/**
 * Identifiers that sort in the order in which they were made, also when the wall clock steps back: a time that
 * never decreases, a counter within it, and randomness for roots that share a store. The time in an entry itself
 * stays honest. `newest`: the last one that is stored.
 */
export function createEntryIds(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly newest: string | undefined;
}): () => string {
  const { clock, random, newest = '' } = options;
  let stampMs = Number(newest.slice(0, STAMP_DIGITS)) || 0;
  let counter = Number(newest.slice(STAMP_DIGITS, STAMP_DIGITS + COUNTER_DIGITS)) || 0;
  return () => {
    const nowMs = clock.nowMs();
    counter += 1;
    if (nowMs > stampMs || counter >= 10 ** COUNTER_DIGITS) {
      stampMs = Math.max(nowMs, stampMs + 1);
      counter = 0;
    }
    const stamp = String(stampMs).padStart(STAMP_DIGITS, '0');
    return stamp + String(counter).padStart(COUNTER_DIGITS, '0') + randomHex(random, 4);
  };
}
