import { parseInstanceKey, type ServiceDocument } from '@oakestra/contracts';
import type { InstanceRecord, StoredState } from '@oakestra/ownership';
import type { Statement, Store } from '@oakestra/store';
import type { RootEffects, ServiceRecord } from './core.ts';
import type { DeploymentsSchema } from './schema.ts';

type DeploymentsStore = Store<DeploymentsSchema>;

const COUNTER = 'ownership.counter';
const INCARNATION = 'ownership.incarnation';
const STORE_INCARNATION = 'ownership.store-incarnation';

/** Reads what the core starts from. Notices when the store is a copy of an earlier state. */
export async function loadState(
  store: DeploymentsStore,
  members: readonly string[],
): Promise<StoredState & { readonly services: readonly ServiceRecord[] }> {
  const rows = await store.db.selectFrom('deployment_instances').select('record').execute();
  const services = await store.db.selectFrom('deployment_services').selectAll().execute();
  const knownStore = await store.meta.get(STORE_INCARNATION);
  if (knownStore !== store.incarnation) await store.meta.set(STORE_INCARNATION, store.incarnation);
  return {
    incarnation: (await store.meta.get(INCARNATION)) ?? store.incarnation,
    counter: Number((await store.meta.get(COUNTER)) ?? 0),
    wasRestored: knownStore !== undefined && knownStore !== store.incarnation,
    members,
    records: rows.map((row) => JSON.parse(row.record) as InstanceRecord),
    services: services.map((row) => ({
      id: row.id,
      ownerUserId: row.owner_user_id,
      document: JSON.parse(row.document) as ServiceDocument,
      nextInstanceNumber: Number(row.next_instance_number),
    })),
  };
}

/** The statements that make the effects of one event durable, as one batch. */
export function statementsOf(store: DeploymentsStore, effects: RootEffects): Statement[] {
  const { db, meta } = store;
  const statements: Statement[] = [];
  for (const [id, service] of effects.serviceWrites) {
    if (service === null) statements.push(db.deleteFrom('deployment_services').where('id', '=', id));
    else {
      const values = {
        job_name: service.document.job_name,
        owner_user_id: service.ownerUserId,
        next_instance_number: service.nextInstanceNumber,
        document: JSON.stringify(service.document),
      };
      statements.push(
        db
          .insertInto('deployment_services')
          .values({ id, ...values })
          .onConflict((conflict) => conflict.column('id').doUpdateSet(values)),
      );
    }
  }
  for (const [key, record] of effects.writes) {
    if (record === null) statements.push(db.deleteFrom('deployment_instances').where('key', '=', key));
    else {
      const values = { wanted: record.wanted, status: record.status, record: JSON.stringify(record) };
      statements.push(
        db
          .insertInto('deployment_instances')
          .values({ key, service_id: parseInstanceKey(key).serviceId, ...values })
          .onConflict((conflict) => conflict.column('key').doUpdateSet(values)),
      );
    }
  }
  if (effects.counter !== undefined) {
    statements.push(meta.assignment(COUNTER, String(effects.counter.counter)));
    statements.push(meta.assignment(INCARNATION, effects.counter.incarnation));
  }
  return statements;
}
