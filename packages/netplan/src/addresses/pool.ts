import { OakestraError } from '@oakestra/contracts';
import { type Family, formatAddress, parseAddress } from './address-text.ts';

export interface AddressRange {
  /** First and last address that may be given, both included. */
  readonly first: string;
  readonly last: string;
}

/** What a pool gives and in which order: its ranges one after the other, each upwards. */
export interface PoolSettings {
  readonly ranges: readonly AddressRange[];
  /** Size of one unit: 32 or 128 for single addresses, less for sub-networks, of which the first address counts. */
  readonly prefixLength: number;
  /** No unit whose third or fourth octet is above it is given; IPv4 only. Default: 255. */
  readonly highestOctet?: number;
}

export interface Pool {
  readonly name: string;
  readonly family: Family;
  /** How many addresses a unit has. */
  readonly unit: bigint;
  readonly ranges: readonly { readonly first: bigint; readonly last: bigint }[];
  /** The first unit that may be given, at or after `value`, in the order of the pool. */
  from(value: bigint): bigint | undefined;
  /** The unit after this one. */
  after(unit: bigint): bigint | undefined;
  /** Is it one of the units that are given? */
  contains(value: bigint): boolean;
}

/** Throws `address-pool-invalid`. `reserved` are single addresses; units that contain one are never given. */
export function createPool(
  name: string,
  family: Family,
  settings: PoolSettings,
  reserved: readonly bigint[] = [],
): Pool {
  const bits = family === 4 ? 32 : 128;
  const { prefixLength } = settings;
  if (!Number.isInteger(prefixLength) || prefixLength < 1 || prefixLength > bits) {
    throw invalidPool(name, `the prefix length must be an integer from 1 to ${bits}, not ${prefixLength}`);
  }
  const unit = 1n << BigInt(bits - prefixLength);
  const ranges = settings.ranges.map((range) => parsedRange(name, family, unit, range));
  if (ranges.length === 0) throw invalidPool(name, 'it needs at least one range');
  for (const [index, range] of ranges.entries()) {
    const overlaps = ranges.slice(0, index).some((other) => rangesOverlap(range, other, unit));
    if (overlaps) throw invalidPool(name, 'two of its ranges overlap');
  }
  const highest = family === 4 ? BigInt(settings.highestOctet ?? 255) : undefined;

  const isGiven = (value: bigint): boolean => {
    if (highest !== undefined && ((value & 255n) > highest || ((value >> 8n) & 255n) > highest)) return false;
    return !reserved.some((address) => address >= value && address < value + unit);
  };

  const firstGiven = (start: bigint, index: number): bigint | undefined => {
    let value = start;
    for (let at = index; ; at += 1) {
      const range = ranges[at];
      if (range === undefined) return undefined;
      if (at !== index) value = range.first;
      for (; value <= range.last; value += unit) if (isGiven(value)) return value;
    }
  };

  const rangeOf = (value: bigint): number =>
    ranges.findIndex(({ first, last }) => value >= first && value <= last && (value - first) % unit === 0n);

  return {
    name,
    family,
    unit,
    ranges,
    from(value) {
      const index = rangeOf(value);
      return index < 0 ? firstGiven((ranges[0] as { first: bigint }).first, 0) : firstGiven(value, index);
    },
    after(value) {
      const index = rangeOf(value);
      return index < 0 ? undefined : firstGiven(value + unit, index);
    },
    contains: (value) => rangeOf(value) >= 0 && isGiven(value),
  };
}

/** Do two pools give addresses of the same unit? */
export function poolsOverlap(a: Pool, b: Pool): boolean {
  if (a.family !== b.family) return false;
  return a.ranges.some((range) =>
    b.ranges.some((other) => range.first < other.last + b.unit && other.first < range.last + a.unit),
  );
}

function rangesOverlap(
  a: { first: bigint; last: bigint },
  b: { first: bigint; last: bigint },
  unit: bigint,
): boolean {
  return a.first < b.last + unit && b.first < a.last + unit;
}

function parsedRange(name: string, family: Family, unit: bigint, range: AddressRange) {
  const [first, last] = [range.first, range.last].map((text) => {
    const value = parseAddress(family, text);
    if (value === undefined) throw invalidPool(name, `"${text}" is no IPv${family} address`);
    if (value % unit !== 0n) {
      const below = formatAddress(family, value - (value % unit));
      throw invalidPool(name, `${text} is not the first address of a unit; did you mean ${below}?`);
    }
    return value;
  }) as [bigint, bigint];
  if (last < first) throw invalidPool(name, `the range ${range.first} to ${range.last} is empty`);
  return { first, last };
}

export function invalidPool(name: string, reason: string): OakestraError {
  return new OakestraError('invalid', 'address-pool-invalid', `The address pool ${name}: ${reason}.`, {
    violations: [{ path: `addresses.${name}`, message: reason }],
  });
}
