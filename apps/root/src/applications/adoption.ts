import type { ServiceDocument } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import type { Statement } from '@oakestra/store';
import { ADMIN_NAME, type Identity } from '../identity/index.ts';
import { type ApplicationTable, uniqueNameOf } from './application-table.ts';

export interface AdoptionParts {
  readonly table: ApplicationTable;
  readonly identity: Pick<Identity, 'users'>;
  readonly commit: (statements: readonly Statement[]) => Promise<void>;
  readonly nextCreationMs: () => number;
  readonly logger: Logger;
}

/** Makes sure that the application of a service that runs below exists. Resolves to its owner. */
export async function adoptApplication(
  parts: AdoptionParts,
  document: ServiceDocument,
  reportedOwnerId: string,
): Promise<string> {
  const { table, commit, logger } = parts;
  const { applicationID: id, microserviceID: serviceId, app_name: name, app_ns: namespace } = document;
  const record = await table.find(id);
  if (record !== undefined) {
    const { ownerUserId, serviceIds, pending } = record;
    if (!serviceIds.includes(serviceId) && !pending.some((service) => service.id === serviceId)) {
      await commit([table.servicesUpdate(id, { serviceIds: [...serviceIds, serviceId], pending })]);
    }
    return ownerUserId;
  }
  const ownerUserId = await knownOwner(parts.identity, reportedOwnerId);
  const plainName = uniqueNameOf({ name, namespace });
  const isTaken = (await table.findByUniqueName(ownerUserId, plainName)) !== undefined;
  await commit([
    table.insertion({
      ...{ id, ownerUserId, organisationId: undefined, name, namespace },
      // What runs is shown, even beside a younger application of the same name.
      uniqueName: isTaken ? `${plainName}#${id}` : plainName,
      document: {},
      serviceIds: [serviceId],
      pending: [],
      state: 'ready',
      createdAtMs: parts.nextCreationMs(),
    }),
  ]);
  const fields = { applicationId: id, name, namespace };
  logger.info('adopted an application that a cluster runs and this root did not know', fields);
  return ownerUserId;
}

/** Users of a lost store are unknown to the new one; somebody must be able to see and stop what runs. */
async function knownOwner(identity: Pick<Identity, 'users'>, userId: string): Promise<string> {
  const users = await identity.users();
  if (users.some((user) => user.id === userId)) return userId;
  return users.find((user) => user.name === ADMIN_NAME)?.id ?? userId;
}
