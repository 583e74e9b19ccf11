import { isIP } from 'node:net';

/** Where a call came from. */
export interface PeerAddress {
  /** IP address without brackets; an IPv4 address mapped into IPv6 is given as IPv4. */
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
  /** The caller is on this machine, so the address means nothing to others. */
  readonly isLoopback: boolean;
}

/**
 * Reads the text with which gRPC names a peer (root-api 8): `ipv4:<address>:<port>`, `ipv6:[<address>]:<port>`, also
 * percent-encoded, and the form without scheme and brackets that grpc-js gives. `undefined` for anything else, such as
 * a Unix socket.
 */
export function parsePeerAddress(text: string): PeerAddress | undefined {
  const plain = text
    .replace(/^ipv[46]:/, '')
    .replace(/%5B/i, '[')
    .replace(/%5D/i, ']');
  // Without brackets the last colon is the one before the port, also in IPv6.
  const match = /^(?:\[(?<bracketed>[^\]]+)\]|(?<bare>[^[\]]+)):(?<port>\d{1,5})$/.exec(plain);
  const port = Number(match?.groups?.port);
  const written = match?.groups?.bracketed ?? match?.groups?.bare;
  if (written === undefined || port > 65_535) return undefined;
  const address = unmapped(written);
  const family = isIP(address);
  if (family !== 4 && family !== 6) return undefined;
  return {
    address,
    family,
    port,
    isLoopback: family === 4 ? address.startsWith('127.') : isLoopback6(address),
  };
}

/** The address as the host of a URL: IPv6 in brackets, a zone percent-encoded. */
export function urlHost(address: string): string {
  return isIP(address) === 6 ? `[${address.replace('%', '%25')}]` : address;
}

/** An address in its IPv4 form where it is one: `::ffff:10.0.0.1` and `::ffff:a00:1` are `10.0.0.1`. */
function unmapped(address: string): string {
  const match =
    /^(?:0{0,4}:){2,5}ffff:(?:(?<dotted>[\d.]+)|(?<high>[\da-f]{1,4}):(?<low>[\da-f]{1,4}))$/i.exec(address);
  if (match?.groups === undefined || isIP(address) !== 6) return address;
  const { dotted, high, low } = match.groups;
  if (dotted !== undefined) return dotted;
  const value = Number.parseInt(high ?? '0', 16) * 0x1_0000 + Number.parseInt(low ?? '0', 16);
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

function isLoopback6(address: string): boolean {
  return /^(?:0{0,4}:)+0{0,3}1$/.test(address);
}
