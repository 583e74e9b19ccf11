import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatIpv4,
  formatIpv4Network,
  macOf,
  networkContains,
  networksOverlap,
  parseIpv4,
  parseIpv4Network,
  sizeOf,
} from './ipv4.ts';

const address = fc.integer({ min: 0, max: 0xffffffff });

describe('IPv4 addresses', () => {
  it('come back from their text', () => {
    fc.assert(fc.property(address, (value) => parseIpv4(formatIpv4(value)) === value));
  });

  it.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.x', '1..2.3', ' 1.2.3.4', '1e1.2.3.4'])(
    'are not "%s"',
    (text) => expect(parseIpv4(text)).toBeUndefined(),
  );

  it('have a hardware address of their own', () => {
    expect(macOf(parseIpv4('10.19.0.255') ?? 0)).toBe('02:0a:0a:13:00:ff');
  });
});

describe('IPv4 networks', () => {
  it('are read and written', () => {
    expect(parseIpv4Network('10.19.0.0/16')).toEqual({ address: 0x0a130000, prefixLength: 16 });
    expect(formatIpv4Network(parseIpv4Network('0.0.0.0/0'))).toBe('0.0.0.0/0');
    expect(sizeOf(parseIpv4Network('10.0.0.0/30'))).toBe(4);
  });

  it('name the setting and the correction when host bits are set', () => {
    expect(() => parseIpv4Network('10.19.3.1/16', 'overlay.subnet')).toThrow(
      'overlay.subnet: "10.19.3.1/16" has host bits set; did you mean 10.19.0.0/16?',
    );
  });

  it.each(['', '10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/8/8', '::/0', '10.0.0.0/+8'])(
    'are not "%s"',
    (text) => expect(() => parseIpv4Network(text)).toThrow(/is not an IPv4 network/),
  );

  it('contain exactly the addresses that share their prefix', () => {
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (base, other, prefixLength) => {
        const size = 2 ** (32 - prefixLength);
        const network = { address: Math.floor(base / size) * size, prefixLength };
        const isInside = other >= network.address && other < network.address + size;
        return networkContains(network, other) === isInside;
      }),
    );
  });

  it('overlap in both directions or not at all', () => {
    const wide = parseIpv4Network('10.0.0.0/8');
    const narrow = parseIpv4Network('10.19.0.0/16');
    const other = parseIpv4Network('192.168.0.0/16');
    expect([networksOverlap(wide, narrow), networksOverlap(narrow, wide)]).toEqual([true, true]);
    expect([networksOverlap(wide, other), networksOverlap(other, wide)]).toEqual([false, false]);
  });
});
