import { createIp, type IpLink } from '@oakestra/host';

export interface NetworkInterface {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  /** Empty for interfaces without one. */
  readonly mac: string;
  /** `up`, `broadcast`, `loopback`, `pointtopoint`, `multicast`. */
  readonly flags: readonly string[];
  /** With prefix. */
  readonly addresses: readonly string[];
}

const KNOWN_FLAGS = new Set(['up', 'broadcast', 'loopback', 'pointtopoint', 'multicast']);

/** The interfaces of the host without the cables of instances; none when `ip` is missing. One process. */
export async function readNetworkInterfaces(ip = createIp()): Promise<NetworkInterface[]> {
  const links = await ip.links().catch(() => []);
  return links.filter(({ kind, master }) => !(kind === 'veth' && master !== undefined)).map(interfaceOf);
}

function interfaceOf(link: IpLink): NetworkInterface {
  return {
    index: link.index,
    name: link.name,
    mtu: link.mtu,
    mac: link.flags.includes('LOOPBACK') ? '' : link.mac,
    flags: link.flags.map((flag) => flag.toLowerCase()).filter((flag) => KNOWN_FLAGS.has(flag)),
    addresses: link.addresses,
  };
}
