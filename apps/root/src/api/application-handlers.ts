import type { Applications, ApplicationView } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments } from '../deployments/index.ts';
import type { Action, Principal } from '../identity/index.ts';
import type { SomeHandlers } from './handlers.ts';
import { pageOf } from './paging.ts';
import { applicationResource, serviceResource } from './views.ts';
import { applicationNotFound, type Visibility } from './visibility.ts';

export function applicationHandlers(parts: {
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
  readonly visibility: Visibility;
}): SomeHandlers<
  | 'submitApplications'
  | 'listApplications'
  | 'readApplication'
  | 'updateApplication'
  | 'deleteApplication'
  | 'addServices'
> {
  const { applications, deployments, clusters, visibility } = parts;

  const allowed = async (
    id: string | undefined,
    caller: Principal,
    action: Action,
  ): Promise<ApplicationView> => {
    const application = id === undefined ? undefined : await applications.application(id);
    const notFound = () => applicationNotFound(id);
    if (application === undefined) throw notFound();
    visibility.require({ caller, action, owned: application, notFound });
    return application;
  };

  return {
    async submitApplications({ body, caller }) {
      const { userId: ownerUserId, organisationId } = caller;
      const owned = { ownerUserId, organisationId: undefined };
      visibility.require({ caller, action: 'create', owned, notFound: () => applicationNotFound('') });
      const submitted = await applications.submit({ sla: body, ownerUserId, organisationId });
      return { applications: submitted.map(applicationResource) };
    },
    async listApplications({ query, caller }) {
      const seen = (await visibility.visibleTo(caller, applications)).filter(
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
      applicationResource(await allowed(parameters.applicationId, caller, 'read')),
    async updateApplication({ parameters, body, caller, requireMatch }) {
      const application = await allowed(parameters.applicationId, caller, 'change');
      requireMatch(applicationResource(application));
      return applicationResource(await applications.update(application.id, body));
    },
    async deleteApplication({ parameters, caller, requireMatch }) {
      const application = await allowed(parameters.applicationId, caller, 'remove');
      requireMatch(applicationResource(application));
      await applications.remove(application.id);
      return undefined;
    },
    async addServices({ parameters, body, caller, requireMatch }) {
      const application = await allowed(parameters.applicationId, caller, 'change');
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
