import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatByteSize, parseByteSize } from './byte-size.ts';
import { formatDuration, parseDuration } from './duration.ts';

describe('durations', () => {
  it.each([
    ['0', 0],
    ['250ms', 250],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    [' 2s ', 2000],
  ])('%s is %d ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each(['', '10', '-1s', '1s1m', '1s1s', '10 s', 's', '1e3s', '99999999999999999d', '1y'])(
    '"%s" is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it('are read back from what is shown', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e12 }), (ms) => parseDuration(formatDuration(ms)) === ms),
    );
    expect(formatDuration(90_000)).toBe('1m30s');
  });
});

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['4096B', 4096],
    ['64MiB', 67_108_864],
    ['1.5 gib', 1_610_612_736],
    ['500kB', 500_000],
  ])('%s is %d bytes', (text, expected) => {
    expect(parseByteSize(text)).toBe(expected);
  });

  it.each(['', '64', '64M', '-1MiB', 'MiB', '1iB', '9999999TiB'])('"%s" is none', (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  });

  it('are read back from what is shown', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseByteSize(formatByteSize(bytes)) === bytes));
    expect(formatByteSize(67_108_864)).toBe('64MiB');
    expect(formatByteSize(5_000_000)).toBe('5MB');
  });
});
