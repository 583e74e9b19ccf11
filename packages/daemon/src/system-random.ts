import { randomBytes } from 'node:crypto';
import type { Random } from './random.ts';

/** Randomness of the machine: bytes fit for keys and tokens, fractions for jitter only. */
export function systemRandom(): Random {
  return {
    bytes: (length) => new Uint8Array(randomBytes(length)),
    fraction: Math.random,
  };
}
