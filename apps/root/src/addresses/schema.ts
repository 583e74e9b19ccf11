import type { Migrations } from '@oakestra/store';

export interface AddressesSchema {
  addresses: {
    /** Canonical text; of a sub-network the first address. */
    address: string;
    pool: string;
    /** Empty while it is free. */
    owner: string;
    freed_at_ms: number | null;
  };
  address_cursors: {
    pool: string;
    /** Empty at the end of the pool. */
    next: string;
  };
}

export const addressesMigrations: Migrations = {
  // Behind those that every store has already.
  '0003-addresses': {
    async up(db) {
      await db.schema
        .createTable('addresses')
        .addColumn('address', 'text', (column) => column.primaryKey())
        .addColumn('pool', 'text', (column) => column.notNull())
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('freed_at_ms', 'bigint')
        .execute();
      await db.schema
        .createTable('address_cursors')
        .addColumn('pool', 'text', (column) => column.primaryKey())
        .addColumn('next', 'text', (column) => column.notNull())
        .execute();
    },
  },
};
