import { OakestraError } from '@oakestra/contracts';
import {
  formatIpv4,
  formatIpv4Network,
  type Ipv4Network,
  networkContains,
  parseIpv4,
  sizeOf,
} from './ipv4.ts';

/** Room for a network address, a gateway, one instance and a broadcast address. */
const LONGEST_PREFIX = 30;
/** Larger pools would only slow the search down. */
const SHORTEST_PREFIX = 8;

/** Throws `invalid-subnet` when instances cannot live in the network: prefix outside /8 to /30. */
export function requireHostNetwork(network: Ipv4Network, what = 'subnet'): void {
  if (network.prefixLength < SHORTEST_PREFIX || network.prefixLength > LONGEST_PREFIX) {
    const reason = `must have a prefix of /${SHORTEST_PREFIX} to /${LONGEST_PREFIX}`;
    throw new OakestraError('invalid', 'invalid-subnet', `${what}: ${formatIpv4Network(network)} ${reason}`, {
      violations: [{ path: what, message: reason }],
    });
  }
}

/** The address of the bridge, which is the gateway of the instances: the first host of the network. */
export function gatewayOf(network: Ipv4Network): string {
  return formatIpv4(network.address + 1);
}

/**
 * The lowest host address of `network` that is neither its gateway nor in `used`; undefined when all are taken.
 * The same arguments always give the same answer.
 */
export function allocateAddress(network: Ipv4Network, used: ReadonlySet<string>): string | undefined {
  const broadcast = network.address + sizeOf(network) - 1;
  for (let candidate = network.address + 2; candidate < broadcast; candidate += 1) {
    const text = formatIpv4(candidate);
    if (!used.has(text)) return text;
  }
  return undefined;
}

/** Can `address` be given to an instance of this network? (A host of it, and not the gateway.) */
export function isAssignable(network: Ipv4Network, address: string): boolean {
  const value = parseIpv4(address);
  if (value === undefined || !networkContains(network, value)) return false;
  return value > network.address + 1 && value < network.address + sizeOf(network) - 1;
}
