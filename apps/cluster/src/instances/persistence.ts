import type { Epoch } from '@oakestra/contracts';
import type { InstanceRecord, StoredState } from '@oakestra/ownership';
import { readTierLife, type Statement, type Store, tierLifeAssignments } from '@oakestra/store';
import type { ValueStore } from '../values/index.ts';
import type { Assignment } from './assignments.ts';
import type { ClusterEffects } from './core.ts';
import type { InstancesSchema } from './schema.ts';

type InstancesStore = Store<InstancesSchema>;

const HIGHEST_EPOCH = 'ownership.highest-epoch';
const BOOT = 'ownership.boot';

/** Reads what the core starts from. Notices when the store is a copy of an earlier state. */
export async function loadState(
  store: InstancesStore,
  members: readonly string[],
): Promise<StoredState & { readonly highestEpoch: Epoch; readonly assignments: readonly Assignment[] }> {
  const { meta } = store;
  const rows = await store.db.selectFrom('instances').select('record').execute();
  const assigned = await store.db.selectFrom('assignments').select('assignment').execute();
  return {
    ...(await readTierLife(store)),
    assignments: assigned.map((row) => JSON.parse(row.assignment) as Assignment),
    members,
    records: rows.map((row) => JSON.parse(row.record) as InstanceRecord),
    highestEpoch: JSON.parse((await meta.get(HIGHEST_EPOCH)) ?? '{"root":0,"cluster":0}') as Epoch,
  };
}

/**
 * Each start of this process counts as a life of its own for those that mirror our reports. The clock keeps the
 * number unique when the store is put back to an earlier state.
 */
export async function nextBoot(store: InstancesStore, wallMs: number): Promise<number> {
  const boot = Math.max(Number((await store.meta.get(BOOT)) ?? 0) + 1, wallMs);
  await store.meta.set(BOOT, String(boot));
  return boot;
}

/** `values`: what goes with the records that refer to it. */
export function statementsOf(
  store: InstancesStore,
  effects: ClusterEffects,
  values: Pick<ValueStore, 'erasures'>,
): Statement[] {
  const { db, meta } = store;
  const statements: Statement[] = values.erasures(effects.writes);
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
  for (const [service_id, assignment] of effects.assignmentWrites) {
    if (assignment === null) {
      statements.push(db.deleteFrom('assignments').where('service_id', '=', service_id));
      continue;
    }
    const row = { version: assignment.version, assignment: JSON.stringify(assignment) };
    statements.push(
      db
        .insertInto('assignments')
        .values({ service_id, ...row })
        .onConflict((conflict) => conflict.column('service_id').doUpdateSet(row)),
    );
  }
  if (effects.counter !== undefined) {
    statements.push(...tierLifeAssignments(store, effects.counter));
  }
  if (effects.highestEpoch !== undefined) {
    statements.push(meta.assignment(HIGHEST_EPOCH, JSON.stringify(effects.highestEpoch)));
  }
  return statements;
}
