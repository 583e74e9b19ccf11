import { OakestraError } from '@oakestra/contracts';
import type { PoolName } from './pools.ts';

/** One address that is given to somebody, or was. One row of a table. */
export interface AddressRow {
  /** Canonical text; of a sub-network the first address. Unique over all pools. */
  readonly address: string;
  readonly pool: PoolName;
  /** Who has it; empty while it is free. */
  readonly owner: string;
  /** Unix milliseconds since when it is free; null while somebody has it. */
  readonly freedAtMs: number | null;
}

/** How far a pool was given out. One row of a table. */
export interface CursorRow {
  readonly pool: PoolName;
  /** The next address that nobody ever had (canonical text), or empty when there is none. */
  readonly next: string;
}

/** Everything that is remembered between two decisions. */
export interface AddressState {
  row(address: string): AddressRow | undefined;
  rowsOf(owner: string): readonly AddressRow[];
  /** The free ones, the longest free one first. */
  freed(pool: PoolName): Iterable<AddressRow>;
  cursor(pool: PoolName): string | undefined;
  counts(pool: PoolName): { readonly held: number; readonly freed: number };
}

/** `before` tells what must still be stored for the change to be right: the guard against a second writer. */
export type AddressChange =
  | { readonly kind: 'row'; readonly before: AddressRow | undefined; readonly after: AddressRow }
  | { readonly kind: 'cursor'; readonly before: CursorRow | undefined; readonly after: CursorRow };

export interface AddressBook extends AddressState {
  /** Takes the changes over. Throws `address-state-stale` when one does not fit, and then takes none. */
  apply(changes: readonly AddressChange[]): void;
  rows(): IterableIterator<AddressRow>;
  cursors(): IterableIterator<CursorRow>;
}

/** The state in memory, from the rows that are stored. */
export function createAddressBook(
  rows: Iterable<AddressRow> = [],
  cursors: Iterable<CursorRow> = [],
): AddressBook {
  const byAddress = new Map<string, AddressRow>();
  const byOwner = new Map<string, Map<string, AddressRow>>();
  /** In the order in which they became free. */
  const freed = new Map<PoolName, Map<string, AddressRow>>();
  const heldCounts = new Map<PoolName, number>();
  const byPool = new Map<PoolName, CursorRow>();

  const forget = ({ address, pool, owner }: AddressRow): void => {
    byAddress.delete(address);
    freed.get(pool)?.delete(address);
    if (owner === '') return;
    const own = byOwner.get(owner);
    own?.delete(address);
    if (own?.size === 0) byOwner.delete(owner);
    heldCounts.set(pool, (heldCounts.get(pool) ?? 0) - 1);
  };
  const remember = (row: AddressRow): void => {
    byAddress.set(row.address, row);
    if (row.owner === '') {
      entry(freed, row.pool).set(row.address, row);
      return;
    }
    entry(byOwner, row.owner).set(row.address, row);
    heldCounts.set(row.pool, (heldCounts.get(row.pool) ?? 0) + 1);
  };

  for (const row of [...rows].sort((a, b) => (a.freedAtMs ?? 0) - (b.freedAtMs ?? 0))) remember(row);
  for (const cursor of cursors) byPool.set(cursor.pool, cursor);

  const fits = (change: AddressChange): boolean =>
    change.kind === 'row'
      ? isSame(byAddress.get(change.after.address), change.before)
      : byPool.get(change.after.pool)?.next === change.before?.next;

  return {
    row: (address) => byAddress.get(address),
    rowsOf: (owner) => [...(byOwner.get(owner)?.values() ?? [])],
    freed: (pool) => freed.get(pool)?.values() ?? [],
    cursor: (pool) => byPool.get(pool)?.next,
    counts: (pool) => ({ held: heldCounts.get(pool) ?? 0, freed: freed.get(pool)?.size ?? 0 }),
    rows: () => byAddress.values(),
    cursors: () => byPool.values(),
    apply(changes) {
      if (!changes.every(fits)) {
        throw new OakestraError(
          'conflict',
          'address-state-stale',
          'The addresses changed since this was decided. Decide again.',
        );
      }
      for (const change of changes) {
        if (change.kind === 'cursor') byPool.set(change.after.pool, change.after);
        else {
          if (change.before !== undefined) forget(change.before);
          remember(change.after);
        }
      }
    },
  };
}

function isSame(a: AddressRow | undefined, b: AddressRow | undefined): boolean {
  return a?.owner === b?.owner && a?.freedAtMs === b?.freedAtMs;
}

function entry<K, V>(maps: Map<K, Map<string, V>>, key: K): Map<string, V> {
  const present = maps.get(key);
  if (present !== undefined) return present;
  const fresh = new Map<string, V>();
  maps.set(key, fresh);
  return fresh;
}
