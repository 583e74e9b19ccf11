import { type JsonObject, OakestraError } from '@oakestra/contracts';
import type { Applications } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments, ServiceView } from '../deployments/index.ts';
import type { Action, Principal } from '../identity/index.ts';
import { isListedFor, ownApplication } from './application-routes.ts';
import { double, plain, type Route } from './route.ts';
import { serviceView } from './views.ts';

/** Services and their instances (root-api 4.5). They belong to the owner of their application. */
export function serviceRoutes(parts: {
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
}): Route[] {
  const { applications, deployments, clusters } = parts;

  const view = (service: ServiceView) => serviceView(service, clusters);
  /**
   * Foreign services are answered like missing ones, neither silently like a success (Q25). The application says
   * whose they are: a service that was adopted may still name a user of a lost store.
   */
  const own = async (
    id: string | undefined,
    caller: Principal,
    action: Action = 'read',
  ): Promise<ServiceView> => {
    const service = id === undefined ? undefined : deployments.service(id);
    if (service !== undefined) {
      const { applicationID } = service.document;
      const isThere = (await applications.application(applicationID)) !== undefined;
      const refusal = isThere
        ? await refusalOf(ownApplication(applications, applicationID, caller, action))
        : null;
      if (refusal === undefined) return service;
      // That it cannot be looked up at the moment does not mean that it is not there.
      if (refusal !== null && refusal.kind !== 'not-found') throw refusal;
    }
    throw new OakestraError(
      'not-found',
      'service-not-found',
      `You have no service ${id}. List yours with GET /api/service.`,
    );
  };
  /** Whose application the services are for; what is wrong with the SLA is told by the intake, all at once. */
  const targetOf = async (sla: JsonObject, caller: Principal): Promise<{ readonly ownerUserId: string }> => {
    const [first] = Array.isArray(sla.applications) ? (sla.applications as (JsonObject | null)[]) : [];
    const id = first?.applicationID;
    const application = typeof id === 'string' ? await applications.application(id) : undefined;
    if (application === undefined) return { ownerUserId: caller.userId };
    return ownApplication(applications, application.id, caller, 'change');
  };
  const viewsOf = (ids: readonly string[]) => {
    const services = ids.map((id) => deployments.service(id));
    return double(services.filter((service) => service !== undefined).map(view));
  };
  return [
    {
      method: 'POST',
      path: '/api/service',
      access: 'user',
      body: 'json',
      async handle({ body }, caller) {
        const { ownerUserId } = await targetOf(body, caller);
        const added = await applications.addServices({ sla: body, ownerUserId });
        const registered = added.map(({ document }) => ({
          service_name: document.service_name,
          status: 200,
        }));
        // All or none are registered, so nothing can have failed.
        const jobId = added.at(-1)?.id ?? 'None';
        return plain({ job_id: jobId, deployed_services: registered, failed_services: [] });
      },
    },
    {
      method: 'GET',
      path: '/api/service',
      access: 'user',
      async handle(_call, caller) {
        const applicationsOfCaller = await applications.ownedBy(caller.userId);
        return viewsOf(applicationsOfCaller.flatMap(({ serviceIds }) => serviceIds));
      },
    },
    {
      method: 'GET',
      path: '/api/service/:id',
      access: 'user',
      handle: async ({ parameters }, caller) => double(view(await own(parameters.id, caller))),
    },
    {
      method: 'PUT',
      path: '/api/service/:id',
      access: 'user',
      body: 'json',
      async handle({ parameters, body }, caller) {
        await applications.updateService((await own(parameters.id, caller, 'change')).id, body);
        return plain({});
      },
    },
    {
      method: 'DELETE',
      path: '/api/service/:id',
      access: 'user',
      async handle({ parameters }, caller) {
        await applications.removeService((await own(parameters.id, caller, 'change')).id);
        return plain({ message: 'Job deleted' });
      },
    },
    {
      method: 'GET',
      path: '/api/services',
      access: 'admin',
      async handle(_call, caller) {
        const listed = (await applications.all()).filter((application) => isListedFor(caller, application));
        const ids = new Set(listed.map(({ id }) => id));
        const services = deployments.services().filter(({ document }) => ids.has(document.applicationID));
        return double(services.map(view));
      },
    },
    {
      method: 'GET',
      path: '/api/services/:applicationId',
      access: 'user',
      async handle({ parameters }, caller) {
        const { serviceIds } = await ownApplication(applications, parameters.applicationId, caller);
        return viewsOf(serviceIds);
      },
    },
    {
      method: 'POST',
      path: '/api/service/:id/instance',
      access: 'user',
      async handle({ parameters }, caller) {
        await deployments.requestInstance((await own(parameters.id, caller, 'deploy')).id);
        return plain({ message: 'ok' });
      },
    },
    {
      method: 'DELETE',
      path: '/api/service/:id/instance/:number',
      access: 'user',
      async handle({ parameters }, caller) {
        const { id } = await own(parameters.id, caller, 'deploy');
        const number = instanceNumber(parameters.number);
        if (number === ALL) await deployments.removeAllInstances(id);
        else await deployments.removeInstance(id, number);
        return plain({ message: 'ok' });
      },
    },
  ];
}

/** Undefined: it was not refused. */
async function refusalOf(work: Promise<unknown>): Promise<OakestraError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof OakestraError) return error;
    throw error;
  }
}

const ALL = -1;

function instanceNumber(given: string | undefined): number {
  const number = /^(-1|\d{1,9})$/.test(given ?? '') ? Number(given) : Number.NaN;
  if (!Number.isNaN(number)) return number;
  throw new OakestraError(
    'invalid',
    'instance-number-invalid',
    `"${given}" is no instance number: give an integer of 0 or more, or -1 for all instances.`,
  );
}
