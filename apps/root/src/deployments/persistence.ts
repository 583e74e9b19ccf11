import { parseInstanceKey, type ServiceDocument } from '@oakestra/contracts';
import type { InstanceRecord, StoredState } from '@oakestra/ownership';
import { readTierLife, type Statement, type Store, tierLifeAssignments } from '@oakestra/store';
import { loadMarks, markStatements } from './cluster-marks.ts';
import type { RootEffects } from './core.ts';
import type { RolloutState } from './rollout.ts';
import type { DeploymentsSchema } from './schema.ts';
import type { ServiceRecord } from './service-record.ts';

type DeploymentsStore = Store<DeploymentsSchema>;

/** Reads what the core starts from. */
export async function loadState(
  store: DeploymentsStore,
  members: readonly string[],
): Promise<StoredState & { readonly services: readonly ServiceRecord[] }> {
  const rows = await store.db.selectFrom('deployment_instances').select('record').execute();
  const services = await store.db.selectFrom('deployment_services').selectAll().execute();
  return {
    ...(await readTierLife(store)),
    members,
    marks: await loadMarks(store),
    records: rows.map((row) => JSON.parse(row.record) as InstanceRecord),
    services: services.map((row) => ({
      id: row.id,
      ownerUserId: row.owner_user_id,
      document: JSON.parse(row.document) as ServiceDocument,
      nextInstanceNumber: Number(row.next_instance_number),
      ...(row.assignment_version === null ? {} : { assignmentVersion: Number(row.assignment_version) }),
      ...(row.rollout === null ? {} : { rollout: JSON.parse(row.rollout) as RolloutState }),
    })),
  };
}

/** The statements that make the effects of one event durable, as one batch. */
export function statementsOf(store: DeploymentsStore, effects: RootEffects): Statement[] {
  const { db } = store;
  const statements: Statement[] = [];
  for (const [id, service] of effects.serviceWrites) {
    if (service === null) statements.push(db.deleteFrom('deployment_services').where('id', '=', id));
    else {
      const values = {
        job_name: service.document.job_name,
        owner_user_id: service.ownerUserId,
        next_instance_number: service.nextInstanceNumber,
        document: JSON.stringify(service.document),
        assignment_version: service.assignmentVersion ?? null,
        rollout: service.rollout === undefined ? null : JSON.stringify(service.rollout),
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
  statements.push(...markStatements(store, effects.marks));
  if (effects.counter !== undefined) {
    statements.push(...tierLifeAssignments(store, effects.counter));
  }
  return statements;
}
