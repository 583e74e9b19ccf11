import { describe, expect, test } from 'vitest';
import { parsePeerAddress, urlHost } from './peer-address.ts';

describe('peer address', () => {
  test.each([
    ['ipv4:10.1.2.3:50123', '10.1.2.3', 4, 50_123, false],
    ['10.1.2.3:50123', '10.1.2.3', 4, 50_123, false],
    ['ipv4:127.0.0.1:1', '127.0.0.1', 4, 1, true],
    ['ipv6:[2001:db8::7]:443', '2001:db8::7', 6, 443, false],
    ['ipv6:%5B2001:db8::7%5D:443', '2001:db8::7', 6, 443, false],
    ['ipv6:[::1]:50123', '::1', 6, 50_123, true],
    ['::1:50123', '::1', 6, 50_123, true],
    ['ipv6:[::ffff:192.168.0.9]:7', '192.168.0.9', 4, 7, false],
    ['::ffff:127.0.0.1:7', '127.0.0.1', 4, 7, true],
    ['ipv6:[::ffff:c0a8:9]:7', '192.168.0.9', 4, 7, false],
    ['ipv6:[0:0:0:0:0:ffff:10.0.0.1]:7', '10.0.0.1', 4, 7, false],
    ['ipv6:[fe80::1%eth0]:7', 'fe80::1%eth0', 6, 7, false],
  ])('%s', (text, address, family, port, isLoopback) => {
    expect(parsePeerAddress(text)).toEqual({ address, family, port, isLoopback });
  });

  test.each(['', 'unknown', 'unix:/run/x.sock', 'ipv4:10.0.0.256:1', '10.0.0.1', 'host:99', '1.2.3.4:99999'])(
    '%j is none',
    (text) => {
      expect(parsePeerAddress(text)).toBeUndefined();
    },
  );

  test('IPv6 goes into URLs in brackets', () => {
    expect(urlHost('2001:db8::7')).toBe('[2001:db8::7]');
    expect(urlHost('fe80::1%eth0')).toBe('[fe80::1%25eth0]');
    expect(urlHost('10.0.0.1')).toBe('10.0.0.1');
  });
});
