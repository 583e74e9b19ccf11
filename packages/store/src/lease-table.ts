import { type CompiledQuery, type Kysely, sql } from 'kysely';
import { type ExpectingStatement, expectChanges } from './statement.ts';
import type { Store } from './store.ts';

const table = 'oakestra_leases';

interface LeaseSchema {
  readonly [table]: {
    readonly name: string;
    readonly holder: string;
    /** Rises whenever the lease changes hands, or is taken anew. */
    readonly fencing: number;
    /** By the clock of the database. */
    readonly expires_at_ms: number;
  };
}

/** What is written about a lease. */
export interface LeaseRow {
  readonly holder: string;
  readonly fencing: number;
  /** How long it lasts still; not above 0: anybody may take it. */
  readonly remainingMs: number;
}

/** The statements over the table of leases; all changes are compare-and-set. */
export interface LeaseTable {
  create(): Promise<void>;
  read(): Promise<LeaseRow | undefined>;
  /**
   * Takes a lease that has not been taken since `seen` was read, and may be taken still; without `ttlMs`, one that
   * nobody else can have.
   */
  take(seen: LeaseRow | undefined, holder: string, ttlMs: number | undefined): ExpectingStatement;
  renew(fencing: number, ttlMs: number): ExpectingStatement;
  release(fencing: number): ExpectingStatement;
  /** Changes nothing, and fails where the lease was taken by another. */
  hold(fencing: number): ExpectingStatement;
}

/** A store of any schema. */
export type LeaseStore = Pick<Store<never>, 'commit' | 'capabilities' | 'nowMs'> & { readonly db: unknown };

export function createLeaseTable(store: LeaseStore, name: string): LeaseTable {
  const db = store.db as Kysely<LeaseSchema>;
  const { nowMs } = store;
  const ofHolder = (fencing: number) =>
    db.updateTable(table).where('name', '=', name).where('fencing', '=', fencing);

  async function isThere(): Promise<boolean> {
    return (await db.introspection.getTables()).some((found) => found.name === table);
  }

  function creation(): CompiledQuery {
    return db.schema
      .createTable(table)
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('holder', 'text', (column) => column.notNull())
      .addColumn('fencing', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .compile();
  }

  return {
    async create() {
      if (await isThere()) {
        return;
      }
      try {
        await store.commit([creation()], { durability: 'full' });
      } catch (error) {
        // Another process was faster.
        if (!(await isThere())) {
          throw error;
        }
      }
    },
    read: () =>
      db
        .selectFrom(table)
        .select(['holder', 'fencing', sql<number>`expires_at_ms - ${nowMs}`.as('remainingMs')])
        .where('name', '=', name)
        .executeTakeFirst(),
    take(seen, holder, ttlMs) {
      const expires_at_ms = ttlMs === undefined ? 0 : sql<number>`${nowMs} + ${sql.lit(ttlMs)}`;
      if (seen === undefined) {
        const first = { name, holder, fencing: 1, expires_at_ms };
        return expectChanges(
          db
            .insertInto(table)
            .values(first)
            .onConflict((conflict) => conflict.doNothing()),
        );
      }
      const taken = ofHolder(seen.fencing).set({ holder, fencing: seen.fencing + 1, expires_at_ms });
      return expectChanges(
        ttlMs === undefined
          ? taken
          : taken.where((is) => is.or([is('holder', '=', holder), is('expires_at_ms', '<=', nowMs)])),
      );
    },
    renew: (fencing, ttlMs) =>
      expectChanges(ofHolder(fencing).set({ expires_at_ms: sql<number>`${nowMs} + ${sql.lit(ttlMs)}` })),
    release: (fencing) => expectChanges(ofHolder(fencing).set({ expires_at_ms: 0 })),
    hold: (fencing) => expectChanges(ofHolder(fencing).set({ fencing })),
  };
}
