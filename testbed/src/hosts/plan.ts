/** Names, addresses and commands of a test network. Pure. */

import { OakestraError } from '@oakestra/contracts';
import type { OwnerId } from '../processes/index.ts';

/** How all network namespaces and interfaces of the testbed begin; the owner's id follows. */
export const NETWORK_PREFIX = 'otb';

export const MAX_HOSTS = 35;

export interface HostPlan {
  /** `host1`, `host2`, …; what programs started there see as host name. */
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  /** Its port at the switch. */
  readonly switchPort: string;
}

export interface NetworkPlan {
  /** Namespace of its own for the bridge: no firewall rule of the machine applies there. */
  readonly switchNamespace: string;
  /** Interface of the machine that leads to the bridge. */
  readonly uplink: string;
  readonly subnet: string;
  readonly prefixLength: number;
  /** The machine's own address in the test network: what tests and registries listen on. */
  readonly gatewayAddress: string;
  readonly hosts: readonly HostPlan[];
}

export const UPLINK_PORT = 'uplink';

/** A range as first address and number of addresses. */
export interface AddressRange {
  readonly first: number;
  readonly size: number;
}

export function parseSubnet(subnet: string): AddressRange & { readonly prefixLength: number } {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(subnet);
  const [a, b, c, d, prefixLength] = (match ?? []).slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (!match || [a, b, c, d].some((part) => part > 255) || prefixLength < 8 || prefixLength > 29) {
    throw new OakestraError(
      'invalid',
      'subnet-invalid',
      `${subnet} is no subnet of the form 198.18.7.0/24 (prefix length 8 to 29).`,
    );
  }
  const size = 2 ** (32 - prefixLength);
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  return { first: address - (address % size), size, prefixLength };
}

function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

const overlaps = (one: AddressRange, other: AddressRange): boolean =>
  one.first < other.first + other.size && other.first < one.first + one.size;

/** The range that standards set aside for testing networks, in pieces of 256 addresses. */
const POOL = { first: parseSubnet('198.18.0.0/15').first, pieces: 512, size: 256 };

/**
 * A range of 256 addresses that none of `taken` touches. The search begins at `seed`, so that runs at the same time
 * rarely choose the same.
 */
export function pickSubnet(taken: readonly AddressRange[], seed: number): string {
  for (let step = 0; step < POOL.pieces; step++) {
    const first = POOL.first + ((seed + step) % POOL.pieces) * POOL.size;
    const candidate = { first, size: POOL.size };
    if (!taken.some((range) => overlaps(range, candidate))) return `${formatAddress(first)}/24`;
  }
  throw new OakestraError(
    'exhausted',
    'subnets-exhausted',
    'Every subnet in 198.18.0.0/15 is in use; give another one.',
  );
}

/** The ranges that the routes of the machine lead to, from `ip -json -4 route show table all`. */
export function routedRanges(routes: readonly { readonly dst?: string }[]): AddressRange[] {
  return routes.flatMap(({ dst }) => {
    if (dst === undefined || !/^[\d.]+(\/\d+)?$/.test(dst)) return [];
    const [address, length = '32'] = dst.split('/');
    const size = 2 ** (32 - Number(length));
    const first = (address as string).split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    return [{ first, size }];
  });
}

/** `networkNumber` (0 to 34) tells several networks of one process apart. */
export function planNetwork(options: {
  readonly owner: OwnerId;
  readonly networkNumber: number;
  readonly hostCount: number;
  readonly subnet: string;
}): NetworkPlan {
  const { owner, networkNumber, hostCount, subnet } = options;
  const { first, size, prefixLength } = parseSubnet(subnet);
  if (hostCount < 1 || hostCount > MAX_HOSTS || hostCount + 3 > size) {
    throw new OakestraError(
      'invalid',
      'host-count-invalid',
      `${hostCount} hosts do not fit: 1 to ${Math.min(MAX_HOSTS, size - 3)} are possible in ${subnet}.`,
    );
  }
  const name = (kind: string, index: number) =>
    `${NETWORK_PREFIX}${owner}${kind}${networkNumber.toString(36)}${index.toString(36)}`;
  return {
    switchNamespace: name('s', 0),
    uplink: name('u', 0),
    subnet: `${formatAddress(first)}/${prefixLength}`,
    prefixLength,
    gatewayAddress: formatAddress(first + 1),
    hosts: Array.from({ length: hostCount }, (_, index) => ({
      name: `host${index + 1}`,
      namespace: name('n', index + 1),
      address: formatAddress(first + 2 + index),
      switchPort: `h${index + 1}`,
    })),
  };
}

/** One `ip -batch` in one namespace; `undefined` is the machine itself. */
export interface IpBatch {
  readonly namespace: string | undefined;
  readonly lines: readonly string[];
}

/** Everything that `ip` has to do, in order. */
export function creationSteps(plan: NetworkPlan): IpBatch[] {
  const { switchNamespace, uplink, prefixLength, gatewayAddress, hosts } = plan;
  return [
    {
      namespace: undefined,
      lines: [switchNamespace, ...hosts.map((host) => host.namespace)].map((name) => `netns add ${name}`),
    },
    {
      namespace: undefined,
      lines: [
        `link add ${uplink} type veth peer name ${UPLINK_PORT} netns ${switchNamespace}`,
        `address add ${gatewayAddress}/${prefixLength} dev ${uplink}`,
        `link set ${uplink} up`,
      ],
    },
    {
      namespace: switchNamespace,
      lines: [
        'link set lo up',
        // Ports forward at once and learn by themselves: no spanning tree, no waiting.
        'link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
        'link set br0 up',
        `link set ${UPLINK_PORT} master br0 up`,
        ...hosts.flatMap((host) => [
          `link add ${host.switchPort} type veth peer name eth0 netns ${host.namespace}`,
          `link set ${host.switchPort} master br0 up`,
        ]),
      ],
    },
    ...hosts.map((host) => ({
      namespace: host.namespace,
      lines: [
        'link set lo up',
        `address add ${host.address}/${prefixLength} dev eth0`,
        'link set eth0 up',
        `route add default via ${gatewayAddress}`,
      ],
    })),
  ];
}
