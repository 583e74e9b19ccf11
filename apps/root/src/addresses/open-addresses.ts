import { OakestraError } from '@oakestra/contracts';
import type { Clock, Logger } from '@oakestra/daemon';
import {
  type AddressChange,
  type AddressPair,
  type AddressPoolSettings,
  type AddressRequest,
  createAddressPools,
  planAllocation,
  planRelease,
  planUndo,
} from '@oakestra/netplan';
import type { Statement, Store } from '@oakestra/store';
import { loadBook, statementsOf } from './persistence.ts';
import type { AddressesSchema } from './schema.ts';

export interface AddressOrder {
  readonly allocate?: readonly AddressRequest[];
  /** Owners who give back everything. Done first. */
  readonly release?: readonly string[];
}

export interface AddressReservation {
  /** By owner. */
  readonly pairs: ReadonlyMap<string, AddressPair>;
  /** For the batch of the change that the addresses are for. Commit it in the order of the reservations. */
  readonly statements: readonly Statement[];
  /** The batch was refused, surely: takes everything back. After an `unavailable` commit, `reload` instead. */
  undo(): void;
}

/** Who has which service, instance and sub-network addresses (network 2). */
export interface Addresses {
  /** Everybody who has addresses. */
  owners(): readonly string[];
  /** The addresses of an owner. */
  pairOf(owner: string): AddressPair | undefined;
  /**
   * Decides at once, for whole orders only; nobody else is given these addresses from then on. Throws
   * `address-wish-invalid`, `address-taken`, `addresses-exhausted`.
   */
  reserve(order: AddressOrder): AddressReservation;
  /**
   * `reserve`, and the commit of its statements together with those of the caller: both or neither. When another
   * process took an address in between, it decides once more.
   */
  commit(
    order: AddressOrder,
    statementsFor: (pairs: ReadonlyMap<string, AddressPair>) => readonly Statement[],
  ): Promise<ReadonlyMap<string, AddressPair>>;
  /** Forgets what is in memory for what is stored: after a commit whose outcome is unknown. */
  reload(): Promise<void>;
}

export interface AddressesOptions {
  readonly store: Store<AddressesSchema>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Logger;
  /** Default: the plan of the compatible network. */
  readonly pools?: Partial<AddressPoolSettings>;
  /** How long nobody gets a freed address that was not wished. Default 5 minutes. */
  readonly quarantineMs?: number;
}

const DEFAULT_QUARANTINE_MS = 300_000;

export async function openAddresses(options: AddressesOptions): Promise<Addresses> {
  const { store, clock, logger, quarantineMs = DEFAULT_QUARANTINE_MS } = options;
  const pools = createAddressPools(options.pools);
  let book = await loadBook(store);

  const reload = async (): Promise<void> => {
    book = await loadBook(store);
  };

  const reserve = ({ allocate = [], release = [] }: AddressOrder): AddressReservation => {
    const used = book;
    const nowMs = clock.nowMs();
    const changes: AddressChange[] = [];
    const pairs = new Map<string, AddressPair>();
    const take = (part: readonly AddressChange[]) => {
      used.apply(part);
      changes.push(...part);
    };
    const undo = () => {
      // Newest first: an address may have changed hands within the order.
      for (const change of [...changes].reverse()) used.apply(planUndo(used, [change], nowMs));
    };
    try {
      for (const owner of release) take(planRelease(used, owner, nowMs));
      for (const request of allocate) {
        const { pair, changes: part } = planAllocation(used, request, { pools, nowMs, quarantineMs });
        take(part);
        pairs.set(request.owner, pair);
      }
    } catch (error) {
      undo();
      throw error;
    }
    return { pairs, statements: statementsOf(store, changes), undo };
  };

  const commitOnce: Addresses['commit'] = async (order, statementsFor) => {
    const { pairs, statements, undo } = reserve(order);
    let batch: readonly Statement[];
    try {
      batch = [...statements, ...statementsFor(pairs)];
    } catch (error) {
      undo();
      throw error;
    }
    try {
      await store.commit(batch, { durability: 'full' });
      return pairs;
    } catch (error) {
      const isUnsure = !(error instanceof OakestraError) || error.kind === 'unavailable';
      if (!isUnsure) undo();
      else {
        // Until then nobody else is given what may have been stored.
        await reload().catch((cause: unknown) => {
          logger.warn('the stored addresses cannot be read; going on with what is known', { error: cause });
        });
      }
      throw error;
    }
  };

  return {
    owners: () => [...new Set(Array.from(book.rows(), ({ owner }) => owner))].filter((owner) => owner !== ''),
    pairOf(owner) {
      const rows = book.rowsOf(owner);
      const v4 = rows.find(({ pool }) => pool.endsWith('V4'))?.address;
      const v6 = rows.find(({ pool }) => pool.endsWith('V6'))?.address;
      return v4 === undefined || v6 === undefined ? undefined : { v4, v6 };
    },
    reserve,
    async commit(order, statementsFor) {
      try {
        return await commitOnce(order, statementsFor);
      } catch (error) {
        if (!(error instanceof OakestraError) || error.code !== 'store-expectation') throw error;
        await reload();
        return commitOnce(order, statementsFor);
      }
    },
    reload,
  };
}
