import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpv6, parseIpv6 } from './ipv6.ts';

describe('an IPv6 address', () => {
  it.each([
    ['::', 0n, '::'],
    ['::1', 1n, '::1'],
    ['FDFF:2000:0:0::1', 0xfdff_2000_0000_0000_0000_0000_0000_0001n, 'fdff:2000::1'],
    ['fdff:02000::1', undefined, undefined],
    ['1:0:0:2:0:0:0:3', 0x0001_0000_0000_0002_0000_0000_0000_0003n, '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', 0x0001_0000_0002_0003_0004_0005_0006_0007n, '1:0:2:3:4:5:6:7'],
    ['1:0:0:2:3:0:0:4', 0x0001_0000_0000_0002_0003_0000_0000_0004n, '1::2:3:0:0:4'],
    ['::ffff:192.0.2.1', 0xffff_c000_0201n, '::ffff:c000:201'],
  ])('%s has one value and one canonical spelling', (text, value, canonical) => {
    expect(parseIpv6(text)).toBe(value);
    if (value !== undefined) expect(formatIpv6(value)).toBe(canonical);
  });

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    ':1:2:3:4:5:6:7',
    'fe80::1%eth0',
    'g::',
    '::1.2.3',
    '::1.2.3.256',
    '1.2.3.4',
    ' ::1',
  ])('is not %j', (text) => {
    expect(parseIpv6(text)).toBeUndefined();
  });

  it('reads back what was written', () => {
    // Many zero groups, which is what the short spelling is about.
    const group = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 0xffffn }));
    const value = fc
      .array(group, { minLength: 8, maxLength: 8 })
      .map((groups) => groups.reduce((sum, part) => (sum << 16n) | part, 0n));
    fc.assert(fc.property(value, (number) => parseIpv6(formatIpv6(number)) === number));
  });
});
