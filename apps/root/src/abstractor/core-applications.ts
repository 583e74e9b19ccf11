import { OakestraError } from '@oakestra/contracts';
import { applicationToWire } from '@oakestra/contracts/classic';
import type { Applications, ApplicationView } from '../applications/index.ts';
import type { Identity } from '../identity/index.ts';
import type { ApplicationsPort, StoredDocument } from './ports.ts';

export interface CoreApplicationsParts {
  readonly applications: Applications;
  readonly identity: Pick<Identity, 'users'>;
}

/** Applications of all users; `userId` is the name of one. */
export function coreApplications({ applications, identity }: CoreApplicationsParts): ApplicationsPort {
  const nameById = async () => new Map((await identity.users()).map(({ id, name }) => [id, name]));
  const documentOf = (application: ApplicationView, names: ReadonlyMap<string, string>): StoredDocument => {
    const ownerName = names.get(application.ownerUserId) ?? application.ownerUserId;
    return { ...applicationToWire({ ...application, ownerName }), _id: application.id };
  };
  const find = async (id: string) => {
    const application = await applications.application(id);
    return application === undefined ? undefined : documentOf(application, await nameById());
  };
  return {
    async all() {
      const names = await nameById();
      return (await applications.all()).map((application) => documentOf(application, names));
    },
    find,
    async insert({ _id, applicationID, microservices, userId, ...fields }) {
      const owner = (await identity.users()).find(({ name }) => name === userId);
      if (owner === undefined) {
        const message = `userId must be the name of a user; there is no user ${JSON.stringify(userId)}.`;
        throw new OakestraError('invalid', 'owner-unknown', message);
      }
      const application = { ...fields, microservices: [] };
      const sla = { sla_version: 'v2.0', customerID: owner.name, applications: [application] };
      const [added] = await applications.submit({ sla, ownerUserId: owner.id });
      if (added === undefined) throw new OakestraError('internal', 'application-lost', 'Nothing was added.');
      return documentOf(added, new Map([[owner.id, owner.name]]));
    },
    async merge(id) {
      if ((await applications.application(id)) === undefined) return undefined;
      throw new OakestraError(
        'unsupported',
        'application-fixed',
        'An application cannot be changed here; change its services, or delete it and add it again.',
      );
    },
    async remove(id) {
      const document = await find(id);
      if (document !== undefined) await applications.remove(id);
      return document;
    },
  };
}
