import { OakestraError } from '@oakestra/contracts';
import type { Applications, ApplicationView } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments } from '../deployments/index.ts';
import type { Principal } from '../identity/index.ts';
import type { SomeHandlers } from './handlers.ts';
import { pageOf } from './paging.ts';
import { applicationResource, serviceResource } from './views.ts';
import type { Visibility } from './visibility.ts';

export function applicationHandlers(parts: {
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
  readonly visibility: Visibility;
}): SomeHandlers<
  'submitApplications' | 'listApplications' | 'readApplication' | 'deleteApplication' | 'addServices'
> {
  const { applications, deployments, clusters, visibility } = parts;

  /** What one may not see is answered like what is not there. */
  const visible = async (id: string | undefined, caller: Principal): Promise<ApplicationView> => {
    const application = id === undefined ? undefined : await applications.application(id);
    if (application !== undefined && visibility.maySee(caller, application)) return application;
    throw new OakestraError('not-found', 'application-not-found', `There is no application ${id}.`);
  };

  return {
    async submitApplications({ body, caller }) {
      const submitted = await applications.submit({ sla: body, ownerUserId: caller.userId });
      return { applications: submitted.map(applicationResource) };
    },
    async listApplications({ query, caller }) {
      const seen = (await visibility.ownOf(caller, applications)).filter(
        ({ name, namespace }) =>
          (query.name === undefined || query.name === name) &&
          (query.namespace === undefined || query.namespace === namespace),
      );
      const { items, nextCursor } = pageOf(
        seen,
        ({ createdAtMs }) => String(createdAtMs).padStart(16, '0'),
        query,
      );
      return { items: items.map(applicationResource), nextCursor };
    },
    readApplication: async ({ parameters, caller }) =>
      applicationResource(await visible(parameters.applicationId, caller)),
    async deleteApplication({ parameters, caller, requireMatch }) {
      const application = await visible(parameters.applicationId, caller);
      requireMatch(applicationResource(application));
      await applications.remove(application.id);
      return undefined;
    },
    async addServices({ parameters, body, caller, requireMatch }) {
      const application = await visible(parameters.applicationId, caller);
      requireMatch(applicationResource(application));
      const [first, ...others] = Array.isArray(body.applications) ? (body.applications as unknown[]) : [];
      const named =
        typeof first === 'object' && first !== null ? { ...first, applicationID: application.id } : first;
      const sla = { ...body, applications: [named, ...others] };
      const added = await applications.addServices({ sla, ownerUserId: application.ownerUserId });
      const views = added.map(({ id }) => deployments.service(id)).filter((view) => view !== undefined);
      return { services: views.map((view) => serviceResource(view, clusters)) };
    },
  };
}
