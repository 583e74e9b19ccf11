import type { JsonObject } from '@oakestra/contracts';
import { expectChanges, type Statement, type Store } from '@oakestra/store';
import type { SubmittedService } from './applications.ts';
import type { ApplicationState, ApplicationsSchema } from './schema.ts';

export interface ApplicationRecord {
  readonly id: string;
  readonly ownerUserId: string;
  readonly organisationId: string | undefined;
  readonly name: string;
  readonly namespace: string;
  readonly uniqueName: string;
  readonly document: JsonObject;
  readonly serviceIds: readonly string[];
  readonly pending: readonly SubmittedService[];
  readonly state: ApplicationState;
  readonly createdAtMs: number;
}

/** The stored applications. Reads see what is committed; statements are for batches. */
export interface ApplicationTable {
  find(id: string): Promise<ApplicationRecord | undefined>;
  findByUniqueName(ownerUserId: string, uniqueName: string): Promise<ApplicationRecord | undefined>;
  /** Oldest first. */
  all(filter?: { readonly ownerUserId: string }): Promise<readonly ApplicationRecord[]>;
  insertion(record: ApplicationRecord): Statement;
  /** Fails the batch (`store-expectation`) when there is no such application any more. */
  stateUpdate(id: string, state: ApplicationState): Statement;
  servicesUpdate(id: string, services: ServiceLists): Statement;
  detailsUpdate(record: ApplicationRecord): Statement;
  deletion(id: string): Statement;
}

/** What may exist once per owner (root-api 4.4). */
export function uniqueNameOf({
  name,
  namespace,
}: {
  readonly name: string;
  readonly namespace: string;
}): string {
  return `${name}.${namespace}`;
}

type ServiceLists = Pick<ApplicationRecord, 'serviceIds' | 'pending'>;

type Row = ApplicationsSchema['applications'];

export function createApplicationTable({ db }: Store<ApplicationsSchema>): ApplicationTable {
  const selection = () => db.selectFrom('applications').selectAll();
  return {
    async find(id) {
      const row = await selection().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : recordFrom(row);
    },
    async findByUniqueName(ownerUserId, uniqueName) {
      const row = await selection()
        .where('owner_user_id', '=', ownerUserId)
        .where('unique_name', '=', uniqueName)
        .executeTakeFirst();
      return row === undefined ? undefined : recordFrom(row);
    },
    async all(filter) {
      const query = selection().orderBy('created_at_ms').orderBy('id');
      const rows = await (filter === undefined
        ? query
        : query.where('owner_user_id', '=', filter.ownerUserId)
      ).execute();
      return rows.map(recordFrom);
    },
    insertion: (record) => db.insertInto('applications').values(rowFrom(record)),
    stateUpdate: (id, state) =>
      expectChanges(db.updateTable('applications').set({ state }).where('id', '=', id)),
    servicesUpdate: (id, { serviceIds, pending }) =>
      expectChanges(
        db
          .updateTable('applications')
          .set({ service_ids: JSON.stringify(serviceIds), pending: JSON.stringify(pending) })
          .where('id', '=', id),
      ),
    detailsUpdate({ id, name, namespace, uniqueName, document }) {
      const values = { name, namespace, unique_name: uniqueName, document: JSON.stringify(document) };
      return expectChanges(db.updateTable('applications').set(values).where('id', '=', id));
    },
    deletion: (id) => db.deleteFrom('applications').where('id', '=', id),
  };
}

function recordFrom(row: Row): ApplicationRecord {
  return {
    id: row.id,
    ownerUserId: row.owner_user_id,
    organisationId: row.organisation_id ?? undefined,
    name: row.name,
    namespace: row.namespace,
    uniqueName: row.unique_name,
    document: JSON.parse(row.document) as JsonObject,
    serviceIds: JSON.parse(row.service_ids) as string[],
    pending: JSON.parse(row.pending) as SubmittedService[],
    state: row.state,
    createdAtMs: Number(row.created_at_ms),
  };
}

function rowFrom(record: ApplicationRecord): Row {
  return {
    id: record.id,
    owner_user_id: record.ownerUserId,
    organisation_id: record.organisationId ?? null,
    name: record.name,
    namespace: record.namespace,
    unique_name: record.uniqueName,
    document: JSON.stringify(record.document),
    service_ids: JSON.stringify(record.serviceIds),
    pending: JSON.stringify(record.pending),
    state: record.state,
    created_at_ms: record.createdAtMs,
  };
}
