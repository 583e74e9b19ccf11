const GROUPS = 8;
const GROUP = /^[0-9a-f]{1,4}$/i;
const OCTET = /^(0|[1-9]\d{0,2})$/;

/** The number of an IPv6 address in any of its spellings; undefined for anything else, zones (`%eth0`) included. */
export function parseIpv6(text: string): bigint | undefined {
  const halves = withoutEmbeddedIpv4(text)?.split('::');
  if (halves === undefined || halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = GROUPS - head.length - tail.length;
  // "::" stands for one group at least.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...Array<string>(missing).fill('0'), ...tail]) {
    if (!GROUP.test(group)) return undefined;
    value = (value << 16n) | BigInt(`0x${group}`);
  }
  return value;
}

/** The one spelling of RFC 5952: lower case, no leading zeros, the longest run of zeros as `::`. */
export function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: GROUPS }, (_, index) =>
    Number((value >> BigInt(16 * (GROUPS - 1 - index))) & 0xffffn),
  );
  const { start, length } = longestZeros(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}

/** `::ffff:192.0.2.1` as `::ffff:c000:201`. */
function withoutEmbeddedIpv4(text: string): string | undefined {
  if (!text.includes('.')) return text;
  const end = text.lastIndexOf(':');
  const octets = text.slice(end + 1).split('.');
  if (end < 0 || octets.length !== 4) return undefined;
  if (!octets.every((octet) => OCTET.test(octet) && Number(octet) <= 255)) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = octets.map(Number);
  return `${text.slice(0, end + 1)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
