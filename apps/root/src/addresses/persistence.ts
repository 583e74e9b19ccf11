import { type AddressBook, type AddressChange, createAddressBook, type PoolName } from '@oakestra/netplan';
import { expectChanges, type Statement, type Store } from '@oakestra/store';
import type { AddressesSchema } from './schema.ts';

export async function loadBook({ db }: Store<AddressesSchema>): Promise<AddressBook> {
  const rows = await db.selectFrom('addresses').selectAll().execute();
  const cursors = await db.selectFrom('address_cursors').selectAll().execute();
  return createAddressBook(
    rows.map(({ address, pool, owner, freed_at_ms: freedAtMs }) => ({
      ...{ address, pool: pool as PoolName, owner },
      freedAtMs: freedAtMs === null ? null : Number(freedAtMs),
    })),
    cursors.map(({ pool, next }) => ({ pool: pool as PoolName, next })),
  );
}

/**
 * The batch of a decision. It fails as a whole (`store-expectation`) when somebody else took one of the addresses:
 * the row counts. The cursor is only where to look next.
 */
export function statementsOf({ db }: Store<AddressesSchema>, changes: readonly AddressChange[]): Statement[] {
  return changes.map((change) => {
    if (change.kind === 'cursor') {
      const { pool, next } = change.after;
      return db
        .insertInto('address_cursors')
        .values({ pool, next })
        .onConflict((conflict) => conflict.column('pool').doUpdateSet({ next }));
    }
    const { address, pool, owner, freedAtMs } = change.after;
    const values = { pool, owner, freed_at_ms: freedAtMs };
    const holder = change.before?.owner ?? '';
    return expectChanges(
      db
        .insertInto('addresses')
        .values({ address, ...values })
        .onConflict((conflict) =>
          conflict.column('address').doUpdateSet(values).where('addresses.owner', '=', holder),
        ),
    );
  });
}
