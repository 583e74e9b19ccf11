import type { Store } from '@oakestra/store';
import type { Kysely } from 'kysely';
import type { openRootStore } from '../root-store.ts';

type RootStore = Awaited<ReturnType<typeof openRootStore>>;
export type RootSchema = RootStore extends Store<infer Schema> ? Schema : never;

/** What requests change, those that others refer to first. */
const TABLES = [
  ...['users', 'organisations', 'memberships', 'ended_sessions', 'personal_tokens', 'password_resets'],
  ...['applications', 'addresses', 'address_cursors', 'fleet_members'],
  ...['sealed_objects', 'sealed_versions'],
] as const;

interface Snapshot {
  restore(): Promise<void>;
  /** Whether all is as it was. */
  isCurrent(): Promise<boolean>;
}

/** The same store; `changes` rises with each change, so that most often nothing needs to be compared. */
export function counting(inner: RootStore): { readonly store: RootStore; readonly changes: () => number } {
  let changes = 0;
  const commit: RootStore['commit'] = (...given) => {
    changes += 1;
    return inner.commit(...given);
  };
  const transaction: RootStore['transaction'] = (work) => {
    changes += 1;
    return inner.transaction(work);
  };
  return {
    store: Object.create(inner, { commit: { value: commit }, transaction: { value: transaction } }),
    changes: () => changes,
  };
}

/** The rows of now, to go back to them. */
export async function snapshotOf(store: RootStore): Promise<Snapshot> {
  const db = store.db as unknown as Kysely<Record<string, Record<string, unknown>>>;
  const read = () =>
    Promise.all(
      TABLES.map(async (table) => ({ table, rows: await db.selectFrom(table).selectAll().execute() })),
    );
  const saved = await read();
  const expected = JSON.stringify(saved);
  return {
    isCurrent: async () => JSON.stringify(await read()) === expected,
    async restore() {
      const deletions = [...TABLES].reverse().map((table) => db.deleteFrom(table));
      const insertions = saved
        .filter(({ rows }) => rows.length > 0)
        .map(({ table, rows }) => db.insertInto(table).values(rows));
      await store.commit([...deletions, ...insertions], { durability: 'normal' });
    },
  };
}
