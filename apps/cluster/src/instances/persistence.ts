import type { Epoch } from '@oakestra/contracts';
import type { InstanceRecord, StoredState } from '@oakestra/ownership';
import type { Statement, Store } from '@oakestra/store';
import type { ClusterEffects } from './core.ts';
import type { InstancesSchema } from './schema.ts';

type InstancesStore = Store<InstancesSchema>;

const COUNTER = 'ownership.counter';
const INCARNATION = 'ownership.incarnation';
const STORE_INCARNATION = 'ownership.store-incarnation';
const HIGHEST_EPOCH = 'ownership.highest-epoch';
const BOOT = 'ownership.boot';

/** Reads what the core starts from. Notices when the store is a copy of an earlier state. */
export async function loadState(
  store: InstancesStore,
  members: readonly string[],
): Promise<StoredState & { readonly highestEpoch: Epoch }> {
  const { meta } = store;
  const rows = await store.db.selectFrom('instances').select('record').execute();
  const knownStore = await meta.get(STORE_INCARNATION);
  if (knownStore !== store.incarnation) await meta.set(STORE_INCARNATION, store.incarnation);
  return {
    incarnation: (await meta.get(INCARNATION)) ?? store.incarnation,
    counter: Number((await meta.get(COUNTER)) ?? 0),
    wasRestored: knownStore !== undefined && knownStore !== store.incarnation,
    members,
    records: rows.map((row) => JSON.parse(row.record) as InstanceRecord),
    highestEpoch: JSON.parse((await meta.get(HIGHEST_EPOCH)) ?? '{"root":0,"cluster":0}') as Epoch,
  };
}

/** Counts the starts of this process; each counts as a life of its own for those that mirror our reports. */
export async function nextBoot(store: InstancesStore): Promise<number> {
  const boot = Number((await store.meta.get(BOOT)) ?? 0) + 1;
  await store.meta.set(BOOT, String(boot));
  return boot;
}

export function statementsOf(store: InstancesStore, effects: ClusterEffects): Statement[] {
  const { db, meta } = store;
  const statements: Statement[] = [];
  for (const [key, record] of effects.writes) {
    if (record === null) statements.push(db.deleteFrom('instances').where('key', '=', key));
    else {
      const values = { wanted: record.wanted, status: record.status, record: JSON.stringify(record) };
      statements.push(
        db
          .insertInto('instances')
          .values({ key, ...values })
          .onConflict((conflict) => conflict.column('key').doUpdateSet(values)),
      );
    }
  }
  if (effects.counter !== undefined) {
    statements.push(meta.assignment(COUNTER, String(effects.counter.counter)));
    statements.push(meta.assignment(INCARNATION, effects.counter.incarnation));
  }
  if (effects.highestEpoch !== undefined) {
    statements.push(meta.assignment(HIGHEST_EPOCH, JSON.stringify(effects.highestEpoch)));
  }
  return statements;
}
