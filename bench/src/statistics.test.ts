import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile } from './statistics.ts';

describe('quantile', () => {
  it('takes the middle, and the mean of the two middle ones', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([1, 2, 3, 10])).toBe(2.5);
  });

  it('takes the ends', () => {
    expect(quantile([3, 1, 2], 0)).toBe(1);
    expect(quantile([3, 1, 2], 1)).toBe(3);
    expect(quantile([7], 0.99)).toBe(7);
  });

  it('lies among the values and never falls with the share', () => {
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(values, share, share, (list, one, other) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        expect(quantile(list, low)).toBeGreaterThanOrEqual(Math.min(...list));
        expect(quantile(list, high)).toBeLessThanOrEqual(Math.max(...list));
        expect(quantile(list, low)).toBeLessThanOrEqual(quantile(list, high) + 1e-9);
      }),
    );
  });

  it('refuses nothing at all', () => {
    expect(() => median([])).toThrow('at least one');
  });
});
