import type { JsonObject } from '@oakestra/contracts';
import { slaOpenApiSchema } from '@oakestra/contracts/sla';
import type { Route } from '../route.ts';
import { classicDescriptions, type Description, type RequestBody } from './descriptions.ts';

export type DescribedRoute = Pick<Route, 'method' | 'path' | 'access' | 'body'>;

/** These are registered with a trailing slash (root-api 2.1); both forms are served. */
const COLLECTIONS: ReadonlySet<string> = new Set(
  ['application', 'applications', 'service', 'services', 'user', 'users', 'organization', 'clusters'].map(
    (name) => `/api/${name}`,
  ),
);

const ERROR = { $ref: '#/components/schemas/Error' };

/** The classic interface as an OpenAPI 3.0.2 document (root-api 2.5). Pure. */
export function classicOpenApi(routes: readonly DescribedRoute[]): JsonObject {
  const descriptions = classicDescriptions();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = pathOf(route.path);
    const description = descriptions[`${route.method} ${route.path}`];
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, description) };
  }
  return {
    openapi: '3.0.2',
    info: {
      title: 'Oakestra root api',
      version: 'v1',
      description:
        'The interface that existing clients use. Some answers are JSON within a JSON text ("encoded twice"), some ' +
        'are JSON under the content type of a page ("as text"). New clients use /api/v2.',
    },
    'x-internal-id': '1',
    paths,
    components: {
      schemas: { Sla: slaOpenApiSchema(), Error: ERROR_SCHEMA },
      securitySchemes: { bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
    security: [{ bearerAuth: [] }],
  };
}

function pathOf(path: string): string {
  const named = path.replace(/:(\w+)/g, '{$1}');
  return COLLECTIONS.has(path) ? `${named}/` : named;
}

const NEEDED: Readonly<Record<string, string>> = {
  refresh: 'Needs a refresh token in place of the access token.',
  admin: 'Needs the role Admin.',
  peer: 'Needs a client certificate, an address within --allow-legacy, or the role Admin in the organisation root.',
};

function operationOf(route: DescribedRoute, description: Description | undefined): JsonObject {
  const { method, path, access } = route;
  const request = description?.request ?? (route.body === 'json' ? { type: 'object' } : undefined);
  return {
    tags: [description?.tag ?? 'Further'],
    summary: description?.summary ?? `${method} ${path}`,
    ...(NEEDED[access] === undefined ? {} : { description: NEEDED[access] }),
    ...(access === 'public' ? { security: [] } : {}),
    parameters: [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      ...{ name, in: 'path', required: true },
      schema: { type: 'string' },
    })),
    ...(request === undefined ? {} : { requestBody: requestBodyOf(request) }),
    responses: {
      '200': { description: description?.reply ?? 'Done.' },
      default: {
        description: 'Refused; the message says why.',
        content: { 'application/json': { schema: ERROR } },
      },
    },
  };
}

function requestBodyOf(request: RequestBody): JsonObject {
  const schema = request === 'sla' ? { $ref: '#/components/schemas/Sla' } : request;
  return { required: true, content: { 'application/json': { schema } } };
}

const ERROR_SCHEMA = {
  type: 'object',
  required: ['code', 'status', 'message'],
  properties: {
    code: { type: 'integer', description: 'The HTTP status.' },
    status: { type: 'string', description: 'The reason phrase.' },
    message: { type: 'string', description: 'What is wrong and what to do.' },
    errors: { type: 'object', description: 'Violations by the path of the field.' },
  },
};
