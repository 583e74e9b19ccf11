import { OakestraError } from '@oakestra/contracts';

/** An IPv4 network; `address` is its first address as an unsigned 32-bit number. */
export interface Ipv4Network {
  readonly address: number;
  /** 0 to 32. */
  readonly prefixLength: number;
}

const OCTET = /^(0|[1-9]\d{0,2})$/;

/** The number of a dotted address, or undefined when the text is not one (leading zeros are refused). */
export function parseIpv4(text: string): number | undefined {
  const octets = text.split('.');
  if (octets.length !== 4) return undefined;
  let value = 0;
  for (const octet of octets) {
    if (!OCTET.test(octet) || Number(octet) > 255) return undefined;
    value = value * 256 + Number(octet);
  }
  return value;
}

/** The dotted form of an unsigned 32-bit number. */
export function formatIpv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}

function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

/**
 * Parses `10.19.0.0/16`. Throws `invalid-subnet` when the text is no network, or has bits set beyond its prefix.
 * `what` names the setting in the message.
 */
export function parseIpv4Network(text: string, what = 'subnet'): Ipv4Network {
  const [addressText = '', prefixText = '', ...rest] = text.split('/');
  const address = parseIpv4(addressText);
  const prefixLength = /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : 33;
  if (address === undefined || prefixLength > 32 || rest.length > 0) {
    throw invalidSubnet(text, what, 'is not an IPv4 network such as 10.19.0.0/16');
  }
  const network = { address: (address & maskOf(prefixLength)) >>> 0, prefixLength };
  if (network.address !== address) {
    throw invalidSubnet(text, what, `has host bits set; did you mean ${formatIpv4Network(network)}?`);
  }
  return network;
}

function invalidSubnet(text: string, what: string, reason: string): OakestraError {
  return new OakestraError('invalid', 'invalid-subnet', `${what}: "${text}" ${reason}`, {
    violations: [{ path: what, message: reason }],
  });
}

export function formatIpv4Network(network: Ipv4Network): string {
  return `${formatIpv4(network.address)}/${network.prefixLength}`;
}

/** How many addresses the network has, first and last included. */
export function sizeOf(network: Ipv4Network): number {
  return 2 ** (32 - network.prefixLength);
}

export function networkContains(network: Ipv4Network, address: number): boolean {
  return (address & maskOf(network.prefixLength)) >>> 0 === network.address;
}

export function networksOverlap(a: Ipv4Network, b: Ipv4Network): boolean {
  return a.prefixLength <= b.prefixLength ? networkContains(a, b.address) : networkContains(b, a.address);
}

/**
 * A locally administered hardware address that belongs to one IPv4 address, so that the neighbour tables of others
 * stay right when an address is used again.
 */
export function macOf(address: number): string {
  const hex = address.toString(16).padStart(8, '0');
  return `02:0a:${hex.match(/../g)?.join(':') ?? ''}`;
}
