import { OakestraError } from '@oakestra/contracts';
import type { Clock, Logger } from '@oakestra/daemon';
import type { Ip, IpLink, IpRoute } from '@oakestra/host';
import {
  formatIpv4Network,
  type Ipv4Network,
  networksOverlap,
  parseIpv4Network,
  requireHostNetwork,
} from '@oakestra/netplan';
import type { NetworkTools } from './execute-steps.ts';
import type { ReadSockets } from './port-book.ts';

export interface LocalNetworkOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where instances get their addresses from; /8 to /30. Default `10.19.0.0/16`. */
  readonly subnet?: string;
  /** At most 15 characters. Default `oak0`. */
  readonly bridgeName?: string;
  /** Of our table of family `ip`. Default `oakestra`, for another bridge than the default one with its name behind. */
  readonly tableName?: string;
  /**
   * Begins the names under `/run/netns`, which all network namespaces of a machine share: workers that run in
   * different ones need different prefixes (`oak-worker1`). Default `oak`.
   */
  readonly namePrefix?: string;
  /** Default: that of the interface of the default route, at most 1500. */
  readonly mtu?: number;
  /** Default: the programs of this host. */
  readonly tools?: NetworkTools;
  /** Default: from `/proc/net`. */
  readonly readSockets?: ReadSockets;
}

export interface CheckedOptions {
  readonly network: Ipv4Network;
  readonly subnet: string;
  readonly bridge: string;
  readonly table: string;
  readonly namePrefix: string;
}

const DEFAULT_BRIDGE = 'oak0';
const DEFAULT_SUBNET = '10.19.0.0/16';
const LARGEST_DEFAULT_MTU = 1500;
/** IPv6 and many programs rely on it. */
const SMALLEST_MTU = 1280;

/** Fills in defaults; fails with `invalid-subnet` or `invalid-network-name`. */
/** Two workers in one network namespace differ in their bridge, and so must their tables. */
function tableOf(bridge: string): string {
  return bridge === DEFAULT_BRIDGE ? 'oakestra' : `oakestra_${bridge.replaceAll(/[^A-Za-z0-9_]/g, '_')}`;
}

export function checkOptions(options: LocalNetworkOptions): CheckedOptions {
  const network = parseIpv4Network(options.subnet ?? DEFAULT_SUBNET);
  requireHostNetwork(network);
  const { bridgeName = DEFAULT_BRIDGE, namePrefix = 'oak' } = options;
  const { tableName = tableOf(bridgeName) } = options;
  requireName('bridge name', bridgeName, /^[A-Za-z][A-Za-z0-9_.-]{0,14}$/);
  requireName('table name', tableName, /^[A-Za-z][A-Za-z0-9_]{0,62}$/);
  requireName('name prefix', namePrefix, /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/);
  return { network, subnet: formatIpv4Network(network), bridge: bridgeName, table: tableName, namePrefix };
}

function requireName(what: string, value: string, pattern: RegExp): void {
  if (pattern.test(value)) return;
  throw new OakestraError(
    'invalid',
    'invalid-network-name',
    `${what}: "${value}" must begin with a letter, have no spaces or other special characters, and be short`,
  );
}

/** Fails with `subnet-in-use` when this host reaches other machines in our sub-network. */
export function requireFreeSubnet({ network, bridge }: CheckedOptions, routes: readonly IpRoute[]): void {
  for (const { destination, device } of routes) {
    if (destination === 'default' || device === bridge) continue;
    const other = parseIpv4Network(destination.includes('/') ? destination : `${destination}/32`);
    // A wider route is fine: ours is the more specific one, and only hides what nobody promised.
    if (other.prefixLength < network.prefixLength || !networksOverlap(network, other)) continue;
    throw new OakestraError(
      'conflict',
      'subnet-in-use',
      `the sub-network ${formatIpv4Network(network)} for instances overlaps the route ${destination} ` +
        `through ${device ?? 'nowhere'} of this host; configure another sub-network`,
      { details: { destination, device } },
    );
  }
}

/** The largest packet that also passes the interface through which this host reaches the world. */
export async function chooseMtu(ip: Ip, routes: readonly IpRoute[]): Promise<number> {
  const uplink = routes.find(({ destination }) => destination === 'default')?.device;
  if (uplink === undefined) return LARGEST_DEFAULT_MTU;
  const link: IpLink | undefined = (await ip.links()).find(({ name }) => name === uplink);
  return Math.max(SMALLEST_MTU, Math.min(LARGEST_DEFAULT_MTU, link?.mtu ?? LARGEST_DEFAULT_MTU));
}
