import { messageOf, OakestraError, type ServiceDocument } from '@oakestra/contracts';
import { type Clock, createSerially, type Logger, newId, type Random } from '@oakestra/daemon';
import type { Statement, Store } from '@oakestra/store';
import type { Addresses } from '../addresses/index.ts';
import { type Deployments, defaultRolloutSettings } from '../deployments/index.ts';
import type { Identity } from '../identity/index.ts';
import type { SealedObjects } from '../sealed-objects/index.ts';
import { adoptApplication } from './adoption.ts';
import { type ApplicationRecord, createApplicationTable, uniqueNameOf } from './application-table.ts';
import type { Applications, ApplicationView, SubmittedService } from './applications.ts';
import { changedApplication } from './changes.ts';
import { conflictError, serviceConflicts } from './conflicts.ts';
import { createReferences } from './references.ts';
import type { ApplicationsSchema } from './schema.ts';
import { createServiceAddresses } from './service-addresses.ts';
import { createServiceBatch } from './service-batch.ts';
import { CHANGED_PATH, changedDocument } from './service-update.ts';
import {
  checkedSla,
  type PlannedApplication,
  type PlannedService,
  planApplications,
  planServices,
  slaInvalid,
} from './submission.ts';

interface ApplicationsOptions {
  readonly store: Store<ApplicationsSchema>;
  readonly deployments: Deployments;
  readonly identity: Pick<Identity, 'users'>;
  readonly addresses: Addresses;
  /** What services refer to; absent: they may refer to nothing. */
  readonly sealedObjects?: Pick<SealedObjects, 'resolve'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Opens the room (`deployments` knows its services by then) and completes what a previous run began: half
 * submissions, half removals, and adopted services that have no application yet.
 */
export async function openApplications(options: ApplicationsOptions): Promise<Applications> {
  const { store, deployments, identity, clock, random, logger } = options;
  const table = createApplicationTable(store);
  const services = createServiceBatch(deployments);
  const serviceAddresses = createServiceAddresses(options.addresses, logger);
  const references = createReferences(options.sealedObjects);
  const serially = createSerially();
  const nextId = () => newId(random);
  let newestMs = 0;

  const known = await table.all();
  for (const record of known) newestMs = Math.max(newestMs, record.createdAtMs);
  for (const record of known) await complete(record);
  await adoptOrphans();
  await serviceAddresses.sweep(new Set(deployments.services().map(({ id }) => id)));
  for (const service of deployments.services()) await serviceAddresses.assume(service);

  return {
    async submit({ sla, ownerUserId, organisationId }) {
      const planned = await references.ofApplications(planApplications(checkedSla(sla), nextId), {
        ownerUserId,
        organisationId,
      });
      await refuseTakenNames(planned, ownerUserId);
      refuseServiceConflicts(planned.flatMap((application) => application.services));
      // Without services there is nothing that could be half done.
      const isWhole = planned.every((application) => application.services.length === 0);
      const state = isWhole ? 'ready' : 'submitting';
      const bare = planned.map((application) =>
        recordOf(application, { ownerUserId, organisationId, state }),
      );
      let records = bare;
      const insert = (addressed: readonly SubmittedService[]): Statement[] => {
        records = bare.map((record) => ({ ...record, pending: theirs(record, addressed) }));
        return records.map(table.insertion);
      };
      await serviceAddresses
        .take(
          bare.flatMap(({ pending }) => pending),
          insert,
        )
        .catch((cause: unknown) => {
          // Somebody was faster between the check and the insertion.
          throw isConstraint(cause) ? conflictError('application-exists', [raceViolation(planned)]) : cause;
        });
      try {
        for (const { pending } of records) await services.register(pending, ownerUserId);
        if (!isWhole) await commit(records.flatMap(settlement));
      } catch (error) {
        for (const record of records) await takeBack(record);
        throw error;
      }
      return records.map((record) => viewOf(settled(record)));
    },

    async addServices({ sla, ownerUserId }) {
      const application = checkedSla(sla).applications[0];
      if (application === undefined) {
        throw slaInvalid([{ path: 'applications', message: 'must contain the application to extend' }]);
      }
      const id = application.applicationID ?? '';
      return serially(id, async () => {
        const record = await table.find(id);
        if (record === undefined || record.ownerUserId !== ownerUserId || record.state !== 'ready') {
          throw notFound(id);
        }
        const parts = { application, path: 'applications[0]', target: record, newId: nextId };
        const planned = await references.ofServices(planServices(parts), record);
        refuseServiceConflicts(planned);
        const serviceIds = services.living(record.serviceIds);
        const extendedBy = (pending: readonly SubmittedService[]) => ({ ...record, serviceIds, pending });
        const pending = await serviceAddresses.take(planned.map(pendingPart), (addressed) => [
          table.servicesUpdate(id, extendedBy(addressed)),
        ]);
        const extended = extendedBy(pending);
        try {
          await services.register(pending, ownerUserId);
          await commit(settlement(extended));
        } catch (error) {
          await takeBackServices(extended);
          throw error;
        }
        return pending;
      });
    },

    async updateService(id, sla, settings = {}) {
      const service = deployments.service(id);
      if (service === undefined) {
        throw new OakestraError('not-found', 'service-not-found', `There is no service ${id}.`);
      }
      const changed = { id, path: CHANGED_PATH, document: changedDocument(service.document, sla) };
      const scope = (await table.find(service.document.applicationID)) ?? {
        ownerUserId: service.ownerUserId,
        organisationId: undefined,
      };
      const [{ document } = changed] = await references.ofServices([changed], scope);
      await deployments.updateService(id, document, { ...defaultRolloutSettings(document), ...settings });
    },

    async removeService(id) {
      await deployments.removeService(id);
      await serviceAddresses.release([id]);
    },

    async application(id) {
      const record = await table.find(id);
      return record === undefined || record.state === 'submitting' ? undefined : viewOf(record);
    },
    organisationOf: async (id) => (await table.find(id))?.organisationId,
    all: async () => visible(await table.all()),
    ownedBy: async (userId) => visible(await table.all({ ownerUserId: userId })),

    update: (id, changes) =>
      serially(id, async () => {
        const record = await table.find(id);
        if (record === undefined || record.state !== 'ready') throw notFound(id);
        const hasServices = services.living(record.serviceIds).length > 0;
        const next = changedApplication(record, changes, hasServices);
        const { ownerUserId, uniqueName } = next;
        const other = await table.findByUniqueName(ownerUserId, uniqueName);
        if (other !== undefined && other.id !== id) {
          throw conflictError('application-exists', [takenViolation({ ...next, path: '' }, other.id)]);
        }
        await commit([table.detailsUpdate(next)]);
        return viewOf(next);
      }),

    remove: (id) =>
      serially(id, async () => {
        const record = await table.find(id);
        if (record === undefined || record.state === 'submitting') throw notFound(id);
        if (record.state === 'ready') await commit([table.stateUpdate(id, 'removing')]);
        await removeCompletely(record);
      }),

    adoptFromBelow: ({ document, ownerUserId }) =>
      serially(document.applicationID, () => adopt(document, ownerUserId)),
  };

  function commit(statements: readonly Statement[]): Promise<void> {
    return statements.length === 0 ? Promise.resolve() : store.commit(statements, { durability: 'full' });
  }

  /** The pending services became services. */
  function settlement(record: ApplicationRecord): Statement[] {
    return [table.servicesUpdate(record.id, settled(record)), table.stateUpdate(record.id, 'ready')];
  }

  function recordOf(
    planned: PlannedApplication,
    given: Pick<ApplicationRecord, 'ownerUserId' | 'organisationId' | 'state'>,
  ): ApplicationRecord {
    const { id, name, namespace, document } = planned;
    return {
      ...{ id, name, namespace, document, ...given },
      uniqueName: uniqueNameOf(planned),
      serviceIds: [],
      pending: planned.services.map(pendingPart),
      createdAtMs: nextCreationMs(),
    };
  }

  /** Lists go by creation, so two applications never share a time and the clock never seems to go back. */
  function nextCreationMs(): number {
    newestMs = Math.max(clock.nowMs(), newestMs + 1);
    return newestMs;
  }

  async function refuseTakenNames(
    planned: readonly PlannedApplication[],
    ownerUserId: string,
  ): Promise<void> {
    const found = await Promise.all(
      planned.map(async (application) => {
        const other = await table.findByUniqueName(ownerUserId, uniqueNameOf(application));
        return other === undefined ? [] : [takenViolation(application, other.id)];
      }),
    );
    const violations = found.flat();
    if (violations.length > 0) throw conflictError('application-exists', violations);
  }

  function refuseServiceConflicts(planned: readonly PlannedService[]): void {
    const violations = serviceConflicts(planned, deployments);
    if (violations.length > 0) throw conflictError('service-exists', violations);
  }

  async function takeBack(record: ApplicationRecord): Promise<void> {
    await removeCompletely(record).catch((error: unknown) => warnKept(record, error));
  }

  async function takeBackServices(record: ApplicationRecord): Promise<void> {
    try {
      const ids = record.pending.map(({ id }) => id);
      await services.remove(ids);
      await serviceAddresses.release(ids);
      await commit([table.servicesUpdate(record.id, { serviceIds: record.serviceIds, pending: [] })]);
    } catch (error) {
      warnKept(record, error);
    }
  }

  function warnKept({ id }: ApplicationRecord, error: unknown): void {
    logger.warn('a failed submission could not be taken back; the next start completes it', {
      applicationId: id,
      reason: messageOf(error),
    });
  }

  async function removeCompletely(record: ApplicationRecord): Promise<void> {
    const ids = [...record.serviceIds, ...record.pending.map(({ id }) => id)];
    await services.remove(ids);
    await serviceAddresses.release(ids);
    // Not worth a sync: were it lost, the next start would do it again.
    await store.commit([table.deletion(record.id)], { durability: 'normal' });
  }

  /**
   * Goes on where an earlier run ended: forward, never back. A store restored from a backup may be older than
   * what runs below, and what looks half submitted was deployed long ago.
   */
  async function complete(record: ApplicationRecord): Promise<void> {
    if (record.state === 'ready' && record.pending.length === 0) return;
    const { id: applicationId, state } = record;
    logger.info('completes what an earlier run began', { applicationId, state });
    if (state === 'removing') {
      await removeCompletely(record);
      return;
    }
    const missing = record.pending.filter(({ id }) => deployments.service(id) === undefined);
    for (const service of missing) {
      await services.register([service], record.ownerUserId).catch((error: unknown) => {
        if (!(error instanceof OakestraError) || error.kind !== 'conflict') throw error;
        const { job_name: service_name } = service.document;
        logger.warn('a service of the submission has a name that was taken since; it is left out', {
          applicationId,
          service: service_name,
        });
      });
    }
    await commit(settlement(record));
  }

  async function adopt(document: ServiceDocument, reportedOwnerId: string) {
    const parts = { table, identity, commit, nextCreationMs, logger };
    const adoptedBy = await adoptApplication(parts, document, reportedOwnerId);
    await serviceAddresses.assume({ id: document.microserviceID, document });
    return { ownerUserId: adoptedBy };
  }

  async function adoptOrphans(): Promise<void> {
    const listed = new Set((await table.all()).flatMap(({ serviceIds }) => serviceIds));
    for (const { id, document, ownerUserId } of deployments.services()) {
      if (!listed.has(id)) await adopt(document, ownerUserId);
    }
  }

  function viewOf(record: ApplicationRecord): ApplicationView {
    const { id, ownerUserId, organisationId, name, namespace, document, createdAtMs } = record;
    const description = typeof document.application_desc === 'string' ? document.application_desc : '';
    return {
      id,
      ownerUserId,
      organisationId,
      name,
      namespace,
      description,
      document,
      serviceIds: services.living(record.serviceIds),
      createdAtMs,
    };
  }

  function visible(records: readonly ApplicationRecord[]): ApplicationView[] {
    return records.filter(({ state }) => state !== 'submitting').map(viewOf);
  }
}

function settled(record: ApplicationRecord): ApplicationRecord {
  const serviceIds = [...record.serviceIds, ...record.pending.map(({ id }) => id)];
  return { ...record, serviceIds, pending: [] };
}

/** Those of the addressed services that the record waits for. */
function theirs(record: ApplicationRecord, addressed: readonly SubmittedService[]): SubmittedService[] {
  return record.pending.map((service) => addressed.find(({ id }) => id === service.id) ?? service);
}

function pendingPart({ id, document }: PlannedService): SubmittedService {
  return { id, document };
}

function takenViolation(
  { path, name, namespace }: Pick<PlannedApplication, 'path' | 'name' | 'namespace'>,
  otherId: string,
) {
  const message = `you have an application ${name} in the namespace ${namespace} already (${otherId}); choose another name or delete that one`;
  return { path: path === '' ? 'application_name' : `${path}.application_name`, message };
}

function raceViolation([application]: readonly PlannedApplication[]) {
  const path = `${application?.path ?? 'applications'}.application_name`;
  return { path, message: 'an application of this name was created at the same moment' };
}

function notFound(id: string): OakestraError {
  return new OakestraError(
    'not-found',
    'application-not-found',
    `You have no application ${id || '(no id)'}.`,
  );
}

function isConstraint(error: unknown): boolean {
  return error instanceof OakestraError && error.code === 'store-constraint';
}
