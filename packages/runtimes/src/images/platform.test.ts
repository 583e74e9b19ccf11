import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  choosePlatform,
  formatPlatform,
  hostPlatform,
  type PlatformChoice,
  parsePlatform,
  platformDistance,
} from './platform.ts';

const offer = (...names: readonly string[]) =>
  names.map((name) => {
    const [os = '', architecture = '', variant] = name.split('/');
    return { name, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
  });
const choose = (wanted: string, ...names: readonly string[]) =>
  choosePlatform(offer(...names), parsePlatform(wanted), 'app:1').name;

describe('choosePlatform', () => {
  it.each([
    ['linux/amd64', ['linux/arm64', 'linux/amd64', 'windows/amd64'], 'linux/amd64'],
    ['linux/amd64', ['linux/386', 'linux/arm64'], 'linux/386'],
    ['linux/amd64', ['linux/amd64/v3', 'linux/amd64'], 'linux/amd64'],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2'], 'linux/amd64/v2'],
    ['linux/arm64', ['linux/arm/v7', 'linux/arm64/v8'], 'linux/arm64/v8'],
    ['linux/arm64', ['linux/amd64', 'linux/arm64'], 'linux/arm64'],
    ['linux/arm64', ['linux/arm/v6', 'linux/arm/v7'], 'linux/arm/v7'],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64'], 'linux/arm/v6'],
    ['linux/arm/v7', ['linux/arm/v6', 'linux/arm'], 'linux/arm'],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm/v5'], 'linux/arm/v5'],
    ['linux/riscv64', ['linux/amd64', 'linux/riscv64'], 'linux/riscv64'],
  ])('takes for %s out of %j the best: %s', (wanted, names, best) => {
    expect(choose(wanted, ...names)).toBe(best);
  });

  it('lists what is offered when nothing fits, without attestations', () => {
    expect(() => choose('linux/arm/v6', 'linux/amd64', 'linux/arm/v7', 'unknown/unknown')).toThrow(
      expect.objectContaining({
        code: 'image-platform-missing',
        message: expect.stringContaining(
          'app:1 is not offered for linux/arm/v6; it is offered for linux/amd64, linux/arm/v7',
        ),
      }),
    );
    expect(() => choose('linux/amd64', 'linux/amd64/v3')).toThrow(/linux\/amd64\/v3/);
  });

  it('takes an only entry without platform, but not one of several', () => {
    const unmarked: PlatformChoice = {};
    expect(choosePlatform([unmarked], parsePlatform('linux/amd64'), 'x')).toBe(unmarked);
    expect(() => choosePlatform([unmarked, {}], parsePlatform('linux/amd64'), 'x')).toThrow();
  });

  it('never chooses worse than another entry would be', () => {
    const platforms = [
      'linux/amd64',
      'linux/386',
      'linux/arm64',
      'linux/arm/v7',
      'linux/arm/v6',
      'windows/amd64',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...platforms),
        fc.subarray(platforms, { minLength: 1 }),
        (wanted, offered) => {
          const distances = offer(...offered).map(({ platform }) =>
            platformDistance(parsePlatform(wanted), platform),
          );
          const best = Math.min(...distances.map((distance) => distance ?? Number.POSITIVE_INFINITY));
          if (best === Number.POSITIVE_INFINITY) {
            expect(() => choose(wanted, ...offered)).toThrow(/not offered/);
          } else {
            const chosen = offered.indexOf(choose(wanted, ...offered));
            expect(distances[chosen]).toBe(best);
          }
        },
      ),
    );
  });
});

describe('hostPlatform', () => {
  it.each([
    [{ arch: 'x64' }, 'linux/amd64'],
    [{ arch: 'arm64' }, 'linux/arm64/v8'],
    [{ arch: 'arm', armVersion: '6' }, 'linux/arm/v6'],
    [{ arch: 'arm' }, 'linux/arm/v7'],
    [{ arch: 'ppc64', endianness: 'LE' as const }, 'linux/ppc64le'],
    [{ arch: 'ia32' }, 'linux/386'],
  ])('translates %j', (host, expected) => {
    expect(formatPlatform(hostPlatform(host))).toBe(expected);
  });
});

describe('parsePlatform', () => {
  it('knows other spellings', () => {
    expect(formatPlatform(parsePlatform('Linux/x86_64'))).toBe('linux/amd64');
    expect(formatPlatform(parsePlatform('linux/aarch64'))).toBe('linux/arm64/v8');
    expect(formatPlatform(parsePlatform('linux/armhf'))).toBe('linux/arm/v7');
  });

  it.each(['', 'linux', 'linux/', 'linux/arm/', 'linux/arm/v7/x'])('refuses %j', (text) => {
    expect(() => parsePlatform(text)).toThrow(/write it as "linux\/amd64"/);
  });
});
