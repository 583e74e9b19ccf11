import { OakestraError } from '@oakestra/contracts';
import {
  type OrganisationRequest,
  organisationRequestSchema,
  organisationToWire,
} from '@oakestra/contracts/classic';
import { type Identity, isRootAdmin, type OrganisationMember } from '../identity/index.ts';
import { checkedBody } from './checked-body.ts';
import { double, plain, type Route } from './route.ts';

const NEEDS = 'An organisation has the text name and the list member of {user_id, roles}';

/** Organisations (root-api 4.3). */
export function organisationRoutes({ organisations }: Pick<Identity, 'organisations'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/organization',
      access: 'admin',
      async handle(_call, caller) {
        const all = await organisations.all();
        const listed = all.filter(({ id }) => isRootAdmin(caller) || id === caller.organisationId);
        return double(listed.map(organisationToWire));
      },
    },
    {
      method: 'POST',
      path: '/api/organization',
      access: 'admin',
      body: 'json',
      async handle({ body, remoteAddress: address }, caller) {
        if (!isRootAdmin(caller)) {
          const message = 'An administrator of root creates organisations.';
          throw new OakestraError('forbidden', 'role-missing', message);
        }
        const request = checkedBody(organisationRequestSchema, body, NEEDS);
        const organisation = { name: request.name ?? '', members: membersOf(request) };
        const { id } = await organisations.create(organisation, { ...caller, address });
        // The dashboard parses it twice, also though it is a text.
        return double(id);
      },
    },
    {
      method: 'PUT',
      path: '/api/organization/:id',
      access: 'admin',
      body: 'json',
      async handle({ body, parameters, remoteAddress: address }, caller) {
        const request = checkedBody(organisationRequestSchema, body, NEEDS);
        const { name } = request;
        const changes = { members: membersOf(request), ...(typeof name === 'string' ? { name } : {}) };
        await organisations.update(idIn(parameters), changes, { ...caller, address });
        return plain({ message: 'Organization is updated' });
      },
    },
    {
      method: 'DELETE',
      path: '/api/organization/:id',
      access: 'admin',
      async handle({ parameters, remoteAddress: address }, caller) {
        await organisations.remove(idIn(parameters), { ...caller, address });
        return plain({ message: 'Organization deleted' });
      },
    },
  ];
}

/** No members are no members (Q6). */
function membersOf({ member }: OrganisationRequest): OrganisationMember[] {
  return (member ?? []).map(({ user_id: userId, roles }) => ({ userId, roles: roles ?? [] }));
}

function idIn({ id }: Readonly<Record<string, string>>): string {
  if (id !== undefined) return id;
  throw new OakestraError('not-found', 'organisation-not-found', 'The path names no organisation.');
}
