import { formatIpv6, parseIpv6 } from '@oakestra/contracts/ipv6';
import { formatIpv4, parseIpv4 } from '../ipv4.ts';

export type Family = 4 | 6;

/** The number of an address of this family; undefined for anything else. */
export function parseAddress(family: Family, text: string): bigint | undefined {
  if (family === 6) return parseIpv6(text);
  const value = parseIpv4(text);
  return value === undefined ? undefined : BigInt(value);
}

/** The canonical text: addresses are compared as text along the whole chain (network 2.3). */
export function formatAddress(family: Family, value: bigint): string {
  return family === 6 ? formatIpv6(value) : formatIpv4(Number(value));
}
