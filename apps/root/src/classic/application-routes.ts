import { OakestraError } from '@oakestra/contracts';
import type { Applications, ApplicationView } from '../applications/index.ts';
import { type Action, authorize, type Identity, type Principal, requireAllowed } from '../identity/index.ts';
import { double, plain, type Route } from './route.ts';
import { applicationView } from './views.ts';

/** Applications (root-api 4.4). They belong to a user; administrators list them all, but own no others'. */
export function applicationRoutes(parts: {
  readonly applications: Applications;
  readonly identity: Pick<Identity, 'users'>;
}): Route[] {
  const { applications, identity } = parts;

  const ownList = async (caller: Principal) => {
    const own = await applications.ownedBy(caller.userId);
    return double(own.map((application) => applicationView(application, caller.userName)));
  };
  return [
    {
      method: 'POST',
      path: '/api/application',
      access: 'user',
      body: 'json',
      async handle({ body }, caller) {
        const { userId: ownerUserId, organisationId } = caller;
        requireAllowed({
          ...{ caller, action: 'create', object: { kind: 'application', ownerUserId } },
          notFound: () => applicationNotFound(undefined),
        });
        await applications.submit({ sla: body, ownerUserId, organisationId });
        return ownList(caller);
      },
    },
    {
      method: 'GET',
      path: '/api/application',
      access: 'user',
      handle: (_call, caller) => ownList(caller),
    },
    {
      method: 'GET',
      path: '/api/application/:id',
      access: 'user',
      async handle({ parameters }, caller) {
        // Not `null`, as the original answers (Q16).
        return plain(
          applicationView(await ownApplication(applications, parameters.id, caller), caller.userName),
        );
      },
    },
    {
      // Keeps what is absent and never changes the owner or the services (Q20).
      method: 'PUT',
      path: '/api/application/:id',
      access: 'user',
      body: 'json',
      async handle({ parameters, body }, caller) {
        const { id } = await ownApplication(applications, parameters.id, caller, 'change');
        await applications.update(id, {
          name: body.application_name,
          namespace: body.application_namespace,
          description: body.application_desc,
        });
        return plain({ message: 'Application is updated' });
      },
    },
    {
      method: 'DELETE',
      path: '/api/application/:id',
      access: 'user',
      async handle({ parameters }, caller) {
        const { id } = await ownApplication(applications, parameters.id, caller, 'remove');
        await applications.remove(id);
        return plain({ message: 'Application Deleted' });
      },
    },
    {
      method: 'GET',
      path: '/api/applications',
      access: 'admin',
      async handle(_call, caller) {
        const users = new Map((await identity.users()).map(({ id, name }) => [id, name]));
        const all = (await applications.all()).filter((application) => isListedFor(caller, application));
        return double(
          all.map((application) =>
            applicationView(application, users.get(application.ownerUserId) ?? application.ownerUserId),
          ),
        );
      },
    },
    {
      method: 'GET',
      path: '/api/applications/:userId',
      access: 'user',
      async handle({ parameters }, caller) {
        if (parameters.userId !== caller.userId) {
          throw new OakestraError(
            'unauthenticated',
            'user-foreign',
            `The token belongs to the user with the id ${caller.userId}; ask for that one.`,
          );
        }
        return ownList(caller);
      },
    },
  ];
}

/** The role `Admin` of an organisation other than root ends there (identity/authority). */
export function isListedFor(
  caller: Principal,
  { ownerUserId, organisationId }: Pick<ApplicationView, 'ownerUserId' | 'organisationId'>,
): boolean {
  const object = { kind: 'application', ownerUserId, organisationId } as const;
  return authorize({ caller, action: 'read', object }).isAllowed;
}

/**
 * The caller's own application, or one that the caller's organisation shares (root-api 17). Others are answered like
 * missing ones, also to administrators of root: for those there are the lists of everything.
 */
export async function ownApplication(
  applications: Applications,
  id: string | undefined,
  caller: Principal,
  action: Action = 'read',
): Promise<ApplicationView> {
  const application = id === undefined ? undefined : await applications.application(id);
  const notFound = () => applicationNotFound(id);
  if (application === undefined) throw notFound();
  const { ownerUserId, organisationId } = application;
  if (ownerUserId !== caller.userId && caller.isInRootOrganisation) throw notFound();
  requireAllowed({ caller, action, object: { kind: 'application', ownerUserId, organisationId }, notFound });
  return application;
}

function applicationNotFound(id: string | undefined): OakestraError {
  return new OakestraError(
    'not-found',
    'application-not-found',
    `You have no application ${id}. List yours with GET /api/application.`,
  );
}
