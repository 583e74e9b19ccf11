/** A line of the kernel's IPv4 routing table; addresses as unsigned numbers. */
export interface KernelRoute {
  readonly device: string;
  readonly destination: number;
  readonly mask: number;
  readonly metric: number;
}

const FLAG_UP = 1;
const FLAG_REJECT = 0x200;

/** Parses `/proc/net/route`; routes that are down or refuse are left out. */
export function parseKernelRoutes(text: string): KernelRoute[] {
  return text.split('\n').flatMap((line) => {
    const [device, destination, , flags, , , metric, mask] = line.trim().split(/\s+/);
    if (device === undefined || destination === undefined || mask === undefined) return [];
    // The first line has words where the others have numbers.
    if (!/^[0-9A-F]{8}$/.test(destination)) return [];
    const flagBits = Number.parseInt(flags ?? '', 16);
    if ((flagBits & FLAG_UP) === 0 || (flagBits & FLAG_REJECT) !== 0) return [];
    return [{ device, destination: fromHex(destination), mask: fromHex(mask), metric: Number(metric) }];
  });
}

/** The kernel prints the number in the byte order of a little-endian machine. */
function fromHex(text: string): number {
  const bytes = text.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
  return bytes.reverse().reduce((value, byte) => value * 256 + byte, 0);
}

/** The route that a packet to `address` takes: longest prefix, then lowest metric. 0 asks for the default route. */
export function selectRoute(routes: readonly KernelRoute[], address: number): KernelRoute | undefined {
  return routes
    .filter(({ destination, mask }) => (address & mask) >>> 0 === destination)
    .sort((a, b) => b.mask - a.mask || a.metric - b.metric)[0];
}
