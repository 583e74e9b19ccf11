import { OakestraError } from '@oakestra/contracts';
import type { Clock } from '@oakestra/daemon';
import { allocateAddress, formatIpv4Network, type Ipv4Network, isAssignable } from '@oakestra/netplan';

/**
 * How long the address of an instance that is gone is not given to another one: as long as the kernel may remember
 * UDP exchanges with it.
 */
const HOLD_MS = 180_000;

/** Who has which address of the sub-network. */
export interface AddressBook {
  /**
   * The address of `owner`: the one it has, else `preferred` when it is free, else the lowest free one. Fails with
   * `addresses-exhausted`.
   */
  take(owner: string, preferred?: string): string;
  release(owner: string): void;
  /** Forgets everything and starts with these (owner → address). */
  reset(owners: ReadonlyMap<string, string>): void;
}

export function createAddressBook(network: Ipv4Network, clock: Clock): AddressBook {
  const byOwner = new Map<string, string>();
  const heldSinceMs = new Map<string, number>();

  const inUse = () => new Set(byOwner.values());
  const held = (): string[] => {
    const nowMs = clock.monotonicMs();
    for (const [address, sinceMs] of heldSinceMs) {
      if (nowMs - sinceMs >= HOLD_MS) heldSinceMs.delete(address);
    }
    return [...heldSinceMs.keys()];
  };

  return {
    take(owner, preferred) {
      const own = byOwner.get(owner);
      if (own !== undefined) return own;
      const used = inUse();
      const isPreferredFree =
        preferred !== undefined && isAssignable(network, preferred) && !used.has(preferred);
      const address = isPreferredFree
        ? preferred
        : // A stale packet is better than no address.
          (allocateAddress(network, new Set([...used, ...held()])) ?? allocateAddress(network, used));
      if (address === undefined) {
        throw new OakestraError(
          'exhausted',
          'addresses-exhausted',
          `all ${used.size} addresses of the sub-network ${formatIpv4Network(network)} are in use; ` +
            'undeploy instances or configure a larger sub-network',
        );
      }
      byOwner.set(owner, address);
      heldSinceMs.delete(address);
      return address;
    },
    release(owner) {
      const address = byOwner.get(owner);
      if (address === undefined) return;
      byOwner.delete(owner);
      heldSinceMs.set(address, clock.monotonicMs());
    },
    reset(owners) {
      byOwner.clear();
      for (const [owner, address] of owners) {
        byOwner.set(owner, address);
        heldSinceMs.delete(address);
      }
    },
  };
}
