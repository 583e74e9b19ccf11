import { formatIpv6, parseIpv6 } from './ipv6.ts';

/** Addresses are compared as text along the whole chain (network 2.3), so each has one spelling. */
export function canonicalServiceAddressV4(text: string): string | undefined {
  const parts = text.split('.');
  const isAddress = parts.length === 4 && parts.every(isByte) && text.startsWith('10.30.');
  return isAddress ? text : undefined;
}

/** First group `fdff`, second group `20xx` (network 2.4); undefined for anything else. */
export function canonicalServiceAddressV6(text: string): string | undefined {
  const value = parseIpv6(text);
  return value !== undefined && value >> 104n === 0xfd_ff20n ? formatIpv6(value) : undefined;
}

function isByte(digits: string): boolean {
  return /^(0|[1-9]\d{0,2})$/.test(digits) && Number(digits) <= 255;
}
