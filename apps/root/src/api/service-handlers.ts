import { type JsonObject, OakestraError } from '@oakestra/contracts';
import type { Applications } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments, InstanceView, ServiceView } from '../deployments/index.ts';
import type { EventJournal } from '../events/index.ts';
import type { Action, Principal } from '../identity/index.ts';
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
  | 'updateService'
  | 'deleteService'
  | 'setReplicas'
  | 'deployInstance'
  | 'readInstance'
  | 'removeInstance'
  | 'readInstanceOutput'
  | 'listInstanceHistory'
> {
  const { applications, deployments, clusters, events, visibility } = parts;

  /** The application says whose a service is: one that was adopted may still name a user of a lost store. */
  const allowed = async (id: string | undefined, caller: Principal, action: Action): Promise<ServiceView> => {
    const service = id === undefined ? undefined : deployments.service(id);
    const owned =
      service === undefined ? undefined : await applications.application(service.document.applicationID);
    const notFound = () => new OakestraError('not-found', 'service-not-found', `There is no service ${id}.`);
    if (service === undefined || owned === undefined) throw notFound();
    visibility.require({ caller, action, owned, notFound });
    return service;
  };

  const allowedInstance = async (
    parameters: Readonly<Record<string, string>>,
    caller: Principal,
    action: Action,
  ): Promise<InstanceView> => {
    const { id, instances } = await allowed(parameters.serviceId, caller, action);
    const instance = instances.find(({ number }) => String(number) === parameters.number);
    if (instance !== undefined) return instance;
    const message = `The service ${id} has no instance ${parameters.number}.`;
    throw new OakestraError('not-found', 'instance-not-found', message);
  };

  return {
    async listServices({ query, caller }) {
      const own = await visibility.visibleTo(caller, applications);
      const ids = own
        .filter(({ id }) => query.applicationId === undefined || query.applicationId === id)
        .flatMap(({ serviceIds }) => serviceIds);
      // Views are made of the page alone, unless it takes them to know what is on it.
      const isFiltered = query.name !== undefined || query.status !== undefined;
      const listed = isFiltered ? ids.filter((id) => isWanted(deployments.service(id), query)) : ids;
      const { items, nextCursor } = pageOf(listed, (id) => id, query);
      const services = items.map((id) => deployments.service(id)).filter((service) => service !== undefined);
      return { items: services.map((service) => serviceResource(service, clusters)), nextCursor };
    },
    readService: async ({ parameters, caller }) =>
      serviceResource(await allowed(parameters.serviceId, caller, 'read'), clusters),
    async updateService({ parameters, body, caller, requireMatch }) {
      const service = await allowed(parameters.serviceId, caller, 'change');
      requireMatch(serviceResource(service, clusters));
      const { microservice, maxUnavailable, settleSeconds, giveUpSeconds } = body;
      await applications
        .updateService(service.id, slaOf(service, microservice), {
          ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
          ...(settleSeconds === undefined ? {} : { settleMs: settleSeconds * 1000 }),
          ...(giveUpSeconds === undefined ? {} : { giveUpMs: giveUpSeconds * 1000 }),
        })
        .catch((error: unknown) => {
          throw inMicroservice(error);
        });
      return serviceResource(deployments.service(service.id) ?? service, clusters);
    },
    async deleteService({ parameters, caller, requireMatch }) {
      const service = await allowed(parameters.serviceId, caller, 'change');
      requireMatch(serviceResource(service, clusters));
      await applications.removeService(service.id);
      return undefined;
    },
    async setReplicas({ parameters, body, caller, requireMatch }) {
      const service = await allowed(parameters.serviceId, caller, 'deploy');
      requireMatch(serviceResource(service, clusters));
      await deployments.setReplicas(service.id, body.replicas);
      return serviceResource(deployments.service(service.id) ?? service, clusters);
    },
    async deployInstance({ parameters, caller }) {
      const { id } = await allowed(parameters.serviceId, caller, 'deploy');
      const { number } = await deployments.requestInstance(id);
      return instanceResource(
        await allowedInstance({ serviceId: id, number: String(number) }, caller, 'read'),
        clusters,
      );
    },
    readInstance: async ({ parameters, caller }) =>
      instanceResource(await allowedInstance(parameters, caller, 'read'), clusters),
    async removeInstance({ parameters, caller }) {
      const { serviceId, number } = await allowedInstance(parameters, caller, 'deploy');
      await deployments.removeInstance(serviceId, number);
      return undefined;
    },
    readInstanceOutput: async ({ parameters, caller }) => ({
      output: (await allowedInstance(parameters, caller, 'read')).logs,
    }),
    async listInstanceHistory({ parameters, query, caller }) {
      const { id: serviceId } = await allowed(parameters.serviceId, caller, 'read');
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

/** The SLA around one microservice. */
function slaOf({ document }: ServiceView, microservice: JsonObject): JsonObject {
  const application = {
    application_name: document.app_name,
    application_namespace: document.app_ns,
    microservices: [microservice],
  };
  return { sla_version: 'v2.0', customerID: '', applications: [application] };
}

const MICROSERVICE = 'applications[0].microservices[0]';

/** What is wrong with the SLA, told by the places that the caller has sent. */
function inMicroservice(error: unknown): unknown {
  if (!(error instanceof OakestraError) || error.code !== 'sla-invalid') return error;
  const violations = error.violations?.map(({ path, message }) => ({
    path: path.replace(MICROSERVICE, 'microservice'),
    message,
  }));
  const message = error.message
    .replaceAll(MICROSERVICE, 'microservice')
    .replace('The SLA', 'The microservice');
  return new OakestraError(error.kind, error.code, message, { violations, cause: error });
}

function isWanted(
  service: ServiceView | undefined,
  { name, status }: { readonly name?: string | undefined; readonly status?: string | undefined },
): boolean {
  if (service === undefined) return false;
  const isNamed = name === undefined || name === service.document.job_name;
  return isNamed && (status === undefined || status === service.status);
}

function positionUnknown(): OakestraError {
  return new OakestraError(
    'invalid',
    'query-invalid',
    'cursor: send `nextCursor` of the page before, unchanged.',
  );
}
