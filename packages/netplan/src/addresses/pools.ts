import { type Family, formatAddress, parseAddress } from './address-text.ts';
import type { AddressRange, Pool, PoolSettings } from './pool.ts';
import { createPool, invalidPool, poolsOverlap } from './pool.ts';

/** What an address is for. Service and instance addresses are semantic, a subnet is of a worker's own. */
export type AddressKind = 'service' | 'instance' | 'subnet';

export interface AddressPoolSettings {
  /** IPv4 addresses of services and of instances, from one pool. */
  readonly semanticV4: PoolSettings;
  readonly serviceV6: PoolSettings;
  readonly instanceV6: PoolSettings;
  readonly subnetV4: PoolSettings;
  readonly subnetV6: PoolSettings;
  /** Where a wished service address may be; wider than what is given without a wish (network 2.4). */
  readonly wishedServiceV4: AddressRange;
  readonly wishedServiceV6: AddressRange;
  /** Addresses that somebody else has, such as those of tunnel devices: nothing that contains one is given. */
  readonly reserved: readonly string[];
}

/** The plan of the compatible network (network 2.1, 2.2). */
export const DEFAULT_ADDRESS_POOLS: AddressPoolSettings = {
  semanticV4: {
    ranges: [{ first: '10.30.0.0', last: '10.30.253.252' }],
    prefixLength: 32,
    highestOctet: 253,
  },
  serviceV6: {
    ranges: [{ first: 'fdff:2000::', last: 'fdff:2000::ffff:ffff:ffff:ffff:ffff' }],
    prefixLength: 128,
  },
  instanceV6: {
    ranges: [
      { first: 'fdff::', last: 'fdff::ffff:ffff:ffff:ffff:ffff' },
      { first: 'fdff:800::', last: 'fdff:800::ffff:ffff:ffff:ffff:ffff' },
    ],
    prefixLength: 128,
  },
  subnetV4: { ranges: [{ first: '10.18.0.0', last: '10.29.255.128' }], prefixLength: 26 },
  subnetV6: {
    ranges: [{ first: 'fc00::', last: 'fdfd:ffff:ffff:ffff:ffff:ffff:ffff:ff00' }],
    prefixLength: 120,
  },
  wishedServiceV4: { first: '10.30.0.0', last: '10.30.255.255' },
  wishedServiceV6: { first: 'fdff:2000::', last: 'fdff:20ff:ffff:ffff:ffff:ffff:ffff:ffff' },
  // The tunnel devices of the original's workers (network Q18).
  reserved: ['10.19.1.254', 'fcef::dead:beef'],
};

export type PoolName = 'semanticV4' | 'serviceV6' | 'instanceV6' | 'subnetV4' | 'subnetV6';

export const POOL_OF: Readonly<Record<AddressKind, { readonly v4: PoolName; readonly v6: PoolName }>> = {
  service: { v4: 'semanticV4', v6: 'serviceV6' },
  instance: { v4: 'semanticV4', v6: 'instanceV6' },
  subnet: { v4: 'subnetV4', v6: 'subnetV6' },
};

export interface AddressPools {
  readonly byName: Readonly<Record<PoolName, Pool>>;
  /** May this address be wished for the kind? */
  mayBeWished(kind: AddressKind, family: Family, value: bigint): boolean;
  /** The addresses that may be wished, in words. */
  wishRule(kind: AddressKind, family: Family): string;
}

/** Checks the settings as a whole. Throws `address-pool-invalid`. */
export function createAddressPools(settings: Partial<AddressPoolSettings> = {}): AddressPools {
  const all = { ...DEFAULT_ADDRESS_POOLS, ...settings };
  const reserved = { 4: reservedOf(all, 4), 6: reservedOf(all, 6) };
  const pool = (name: PoolName, family: Family) => createPool(name, family, all[name], reserved[family]);
  const byName: Record<PoolName, Pool> = {
    semanticV4: pool('semanticV4', 4),
    serviceV6: pool('serviceV6', 6),
    instanceV6: pool('instanceV6', 6),
    subnetV4: pool('subnetV4', 4),
    subnetV6: pool('subnetV6', 6),
  };
  const wished = {
    4: createPool('wishedServiceV4', 4, { ranges: [all.wishedServiceV4], prefixLength: 32 }, reserved[4]),
    6: createPool('wishedServiceV6', 6, { ranges: [all.wishedServiceV6], prefixLength: 128 }, reserved[6]),
  };
  const pools = Object.values(byName);
  for (const [index, one] of pools.entries()) {
    const other = pools.slice(0, index).find((earlier) => poolsOverlap(one, earlier));
    if (other !== undefined) throw invalidPool(one.name, `it overlaps with the pool ${other.name}`);
  }
  for (const family of [4, 6] as const) {
    for (const name of familyPools(family)) {
      if (poolsOverlap(wished[family], byName[name])) {
        throw invalidPool(wished[family].name, `it overlaps with the pool ${name}, which is for other uses`);
      }
    }
  }
  const poolOf = (kind: AddressKind, family: Family): Pool =>
    kind === 'service' ? wished[family] : byName[POOL_OF[kind][family === 4 ? 'v4' : 'v6']];
  return {
    byName,
    mayBeWished: (kind, family, value) => poolOf(kind, family).contains(value),
    wishRule(kind, family) {
      const { ranges } = poolOf(kind, family);
      const text = (value: bigint) => formatAddress(family, value);
      return ranges.map(({ first, last }) => `${text(first)} to ${text(last)}`).join(' or ');
    },
  };
}

/** The pools that no wished service address may come from. */
function familyPools(family: Family): readonly PoolName[] {
  return family === 4 ? ['subnetV4'] : ['instanceV6', 'subnetV6'];
}

/** Those of one family; what is neither is refused once. */
function reservedOf({ reserved }: AddressPoolSettings, family: Family): bigint[] {
  return reserved.flatMap((text) => {
    const value = parseAddress(family, text);
    if (value === undefined && parseAddress(family === 4 ? 6 : 4, text) === undefined) {
      throw invalidPool('reserved', `"${text}" is no address`);
    }
    return value === undefined ? [] : [value];
  });
}
