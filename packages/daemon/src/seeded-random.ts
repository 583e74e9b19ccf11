import type { Random } from './random.ts';

/**
 * Reproducible randomness for simulations and tests: equal seeds give equal sequences. Never for keys or tokens.
 */
export function seededRandom(seed: number): Random {
  // xoshiro-like generators need four words of state; mulberry's single word is enough for schedules and jitter.
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
    fraction: () => next() / 2 ** 32,
  };
}
