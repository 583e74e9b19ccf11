import type { ApplicationsPort } from './ports.ts';
import { type AbstractorRoute, idFrom, matching, text } from './route.ts';

const PATH = '/api/v1/applications';
const FILTERS = ['application_name', 'application_namespace', 'userId'];
const QUERY = {
  application_name: 'Exact name.',
  application_namespace: 'Exact namespace.',
  userId: 'Exact name of the owner.',
};

/** Applications (root-api 11.2). What does not exist is `null`, with 200. */
export function applicationRoutes(applications: ApplicationsPort): AbstractorRoute[] {
  return [
    {
      ...{ method: 'GET', path: PATH, access: 'authorized', summary: 'Applications.', query: QUERY },
      handle: async ({ query }) => text(matching(await applications.all(), query, FILTERS)),
    },
    {
      ...{ method: 'POST', path: PATH, access: 'authorized', summary: 'Adds an application.', body: 'json' },
      handle: async ({ body }) => text(await applications.insert(body)),
    },
    {
      ...{ method: 'GET', path: `${PATH}/:id`, access: 'authorized', query: QUERY },
      summary: 'One application, or null.',
      async handle({ parameters, query }) {
        const found = await applications.find(idFrom(parameters.id));
        const [application] = found === undefined ? [] : matching([found], query, FILTERS);
        return text(application ?? null);
      },
    },
    {
      ...{ method: 'PATCH', path: `${PATH}/:id`, access: 'authorized', body: 'json' },
      summary: 'Merges into an application; answers the result, or null.',
      handle: async ({ parameters, body }) =>
        text((await applications.merge(idFrom(parameters.id), body)) ?? null),
    },
    {
      ...{ method: 'DELETE', path: `${PATH}/:id`, access: 'authorized' },
      summary: 'Removes an application; answers what was removed, or null.',
      handle: async ({ parameters }) => text((await applications.remove(idFrom(parameters.id))) ?? null),
    },
  ];
}
