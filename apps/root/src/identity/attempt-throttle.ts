import { OakestraError } from '@oakestra/contracts';
import type { Clock } from '@oakestra/daemon';
import { networkOf } from './network-of.ts';

/**
 * Slows down guessing of one user's password from one address: each wrong attempt doubles the time until the
 * next one is looked at, also when attempts come in parallel. Others are not affected.
 */
export interface AttemptThrottle {
  /** Resolves when the attempt may be looked at. Rejects (`exhausted`) when too many wait already. */
  admit(user: string, address: string): Promise<void>;
  failed(user: string, address: string): void;
  succeeded(user: string, address: string): void;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 3_000;
const FORGOTTEN_AFTER_MS = 15 * 60_000;
const MOST_WAITING = 8;
const MOST_REMEMBERED = 10_000;

interface Attempts {
  failures: number;
  waiting: number;
  nextAtMs: number;
  lastFailureMs: number;
}

export function createAttemptThrottle(clock: Clock): AttemptThrottle {
  const remembered = new Map<string, Attempts>();
  const keyOf = (user: string, address: string) => `${user}\0${networkOf(address)}`;
  const find = (key: string): Attempts | undefined => {
    const attempts = remembered.get(key);
    if (attempts === undefined) return undefined;
    if (clock.monotonicMs() - attempts.lastFailureMs < FORGOTTEN_AFTER_MS) return attempts;
    remembered.delete(key);
    return undefined;
  };

  return {
    async admit(user, address) {
      const attempts = find(keyOf(user, address));
      if (attempts === undefined) return;
      const nowMs = clock.monotonicMs();
      const waitMs = Math.max(attempts.nextAtMs - nowMs, 0);
      if (attempts.waiting >= MOST_WAITING) throw tooMany(waitMs);
      attempts.nextAtMs = nowMs + waitMs + delayAfter(attempts.failures);
      if (waitMs === 0) return;
      attempts.waiting += 1;
      await new Promise<void>((resolve) => clock.setTimer(waitMs, resolve));
      attempts.waiting -= 1;
    },
    failed(user, address) {
      const key = keyOf(user, address);
      const nowMs = clock.monotonicMs();
      const attempts = find(key) ?? { failures: 0, waiting: 0, nextAtMs: 0, lastFailureMs: nowMs };
      attempts.failures += 1;
      attempts.lastFailureMs = nowMs;
      attempts.nextAtMs = Math.max(attempts.nextAtMs, nowMs + delayAfter(attempts.failures));
      remembered.delete(key);
      remembered.set(key, attempts);
      if (remembered.size <= MOST_REMEMBERED) return;
      const oldest = remembered.keys().next();
      if (oldest.done !== true) remembered.delete(oldest.value);
    },
    succeeded(user, address) {
      remembered.delete(keyOf(user, address));
    },
  };
}

function delayAfter(failures: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS);
}

function tooMany(waitMs: number): OakestraError {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new OakestraError(
    'exhausted',
    'login-throttled',
    `Too many failed logins of this user from this address. Try again in ${retryAfterSeconds} s.`,
    { details: { retryAfterSeconds } },
  );
}
