import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateAddress, gatewayOf, isAssignable, requireHostNetwork } from './address-pool.ts';
import { formatIpv4, parseIpv4, parseIpv4Network } from './ipv4.ts';

const network = parseIpv4Network('10.19.0.0/24');
const hosts = Array.from({ length: 253 }, (_, index) => formatIpv4(network.address + 2 + index));

describe('address pool', () => {
  it('gives the first host to the bridge and the next one to the first instance', () => {
    expect(gatewayOf(network)).toBe('10.19.0.1');
    expect(allocateAddress(network, new Set())).toBe('10.19.0.2');
  });

  it('gives the lowest free host, never one in use, and nothing when all are used', () => {
    fc.assert(
      fc.property(fc.subarray(hosts), (used) => {
        const free = hosts.filter((host) => !used.includes(host));
        expect(allocateAddress(network, new Set(used))).toBe(free[0]);
      }),
    );
  });

  it('hands out every host exactly once, and only hosts', () => {
    const used = new Set<string>();
    for (
      let given = allocateAddress(network, used);
      given !== undefined;
      given = allocateAddress(network, used)
    ) {
      expect(isAssignable(network, given)).toBe(true);
      used.add(given);
    }
    expect([...used]).toEqual(hosts);
  });

  it('does not assign network, gateway, broadcast or foreign addresses', () => {
    const refused = ['10.19.0.0', '10.19.0.1', '10.19.0.255', '10.19.1.2', 'x'];
    expect(refused.filter((address) => isAssignable(network, address))).toEqual([]);
    expect(parseIpv4('10.19.0.254')).toBeDefined();
    expect(isAssignable(network, '10.19.0.254')).toBe(true);
  });

  it('refuses networks in which nobody could live', () => {
    expect(() => requireHostNetwork(parseIpv4Network('10.0.0.0/31'), 'overlay.subnet')).toThrow(
      'overlay.subnet: 10.0.0.0/31 must have a prefix of /8 to /30',
    );
    expect(() => requireHostNetwork(parseIpv4Network('0.0.0.0/0'))).toThrow(/prefix/);
    requireHostNetwork(parseIpv4Network('10.0.0.0/30'));
  });
});
