import { OakestraError } from '@oakestra/contracts';
import type { Applications } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments, InstanceView, ServiceView } from '../deployments/index.ts';
import type { EventJournal } from '../events/index.ts';
import type { Principal } from '../identity/index.ts';
import type { SomeHandlers } from './handlers.ts';
import { cursorOf, pageOf, positionOf } from './paging.ts';
import { eventResource, instanceResource, serviceResource } from './views.ts';
import type { Visibility } from './visibility.ts';

export function serviceHandlers(parts: {
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
  readonly events: EventJournal;
  readonly visibility: Visibility;
}): SomeHandlers<
  | 'listServices'
  | 'readService'
  | 'deleteService'
  | 'setReplicas'
  | 'deployInstance'
  | 'readInstance'
  | 'removeInstance'
  | 'readInstanceOutput'
  | 'listInstanceHistory'
> {
  const { applications, deployments, clusters, events, visibility } = parts;

  /**
   * What one may not see is answered like what is not there. The application says whose a service is: one that was
   * adopted may still name a user of a lost store.
   */
  const visible = async (id: string | undefined, caller: Principal): Promise<ServiceView> => {
    const service = id === undefined ? undefined : deployments.service(id);
    const application =
      service === undefined ? undefined : await applications.application(service.document.applicationID);
    if (service !== undefined && application !== undefined && visibility.maySee(caller, application)) {
      return service;
    }
    throw new OakestraError('not-found', 'service-not-found', `There is no service ${id}.`);
  };

  const visibleInstance = async (
    parameters: Readonly<Record<string, string>>,
    caller: Principal,
  ): Promise<InstanceView> => {
    const { id, instances } = await visible(parameters.serviceId, caller);
    const instance = instances.find(({ number }) => String(number) === parameters.number);
    if (instance !== undefined) return instance;
    const message = `The service ${id} has no instance ${parameters.number}.`;
    throw new OakestraError('not-found', 'instance-not-found', message);
  };

  return {
    async listServices({ query, caller }) {
      const own = await visibility.ownOf(caller, applications);
      const seen = own
        .filter(({ id }) => query.applicationId === undefined || query.applicationId === id)
        .flatMap(({ serviceIds }) => serviceIds)
        .map((id) => deployments.service(id))
        .filter((service) => service !== undefined)
        .filter(({ document }) => query.name === undefined || query.name === document.job_name)
        .filter(({ status }) => query.status === undefined || query.status === status);
      const { items, nextCursor } = pageOf(seen, ({ id }) => id, query);
      return { items: items.map((service) => serviceResource(service, clusters)), nextCursor };
    },
    readService: async ({ parameters, caller }) =>
      serviceResource(await visible(parameters.serviceId, caller), clusters),
    async deleteService({ parameters, caller, requireMatch }) {
      const service = await visible(parameters.serviceId, caller);
      requireMatch(serviceResource(service, clusters));
      await deployments.removeService(service.id);
      return undefined;
    },
    async setReplicas({ parameters, body, caller, requireMatch }) {
      const service = await visible(parameters.serviceId, caller);
      requireMatch(serviceResource(service, clusters));
      await deployments.setReplicas(service.id, body.replicas);
      return serviceResource(deployments.service(service.id) ?? service, clusters);
    },
    async deployInstance({ parameters, caller }) {
      const { id } = await visible(parameters.serviceId, caller);
      const { number } = await deployments.requestInstance(id);
      return instanceResource(
        await visibleInstance({ serviceId: id, number: String(number) }, caller),
        clusters,
      );
    },
    readInstance: async ({ parameters, caller }) =>
      instanceResource(await visibleInstance(parameters, caller), clusters),
    async removeInstance({ parameters, caller }) {
      const { serviceId, number } = await visibleInstance(parameters, caller);
      await deployments.removeInstance(serviceId, number);
      return undefined;
    },
    readInstanceOutput: async ({ parameters, caller }) => ({
      output: (await visibleInstance(parameters, caller)).logs,
    }),
    async listInstanceHistory({ parameters, query, caller }) {
      const { id: serviceId } = await visible(parameters.serviceId, caller);
      const { limit, cursor } = query;
      const belowSeq = cursor === undefined ? undefined : Number(positionOf(cursor));
      if (Number.isNaN(belowSeq)) throw positionUnknown();
      const found = await events.historyOf(
        { serviceId, number: Number(parameters.number) },
        { belowSeq, limit: limit + 1 },
      );
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return {
        items: items.map((event) => eventResource(event, events)),
        nextCursor: found.length > limit && last !== undefined ? cursorOf(String(last.seq)) : null,
      };
    },
  };
}

function positionUnknown(): OakestraError {
  return new OakestraError(
    'invalid',
    'query-invalid',
    'cursor: send `nextCursor` of the page before, unchanged.',
  );
}
