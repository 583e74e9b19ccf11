import { createHmac } from 'node:crypto';
import type { Clock, Random } from '@oakestra/daemon';

const KEPT_MS = 60_000;
const MOST_KEPT = 1000;

/**
 * Remembers for a minute that a password matched a stored hash: command-line clients log in for every call
 * (root-api 3.3). Holds keyed digests only; the key lives and dies with the process. A changed hash is a
 * different entry, so a changed password counts at once.
 */
export interface VerifiedPasswords {
  has(hash: string, password: string): boolean;
  add(hash: string, password: string): void;
}

export function createVerifiedPasswords(clock: Clock, random: Random): VerifiedPasswords {
  const key = random.bytes(32);
  const untilMsByDigest = new Map<string, number>();
  const digestOf = (hash: string, password: string) =>
    createHmac('sha256', key).update(`${hash}\0${password}`).digest('base64');
  return {
    has(hash, password) {
      const digest = digestOf(hash, password);
      const untilMs = untilMsByDigest.get(digest);
      if (untilMs === undefined) return false;
      if (untilMs > clock.monotonicMs()) return true;
      untilMsByDigest.delete(digest);
      return false;
    },
    add(hash, password) {
      untilMsByDigest.set(digestOf(hash, password), clock.monotonicMs() + KEPT_MS);
      if (untilMsByDigest.size <= MOST_KEPT) return;
      const oldest = untilMsByDigest.keys().next();
      if (oldest.done !== true) untilMsByDigest.delete(oldest.value);
    },
  };
}
