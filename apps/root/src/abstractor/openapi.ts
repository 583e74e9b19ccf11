import type { JsonObject } from '@oakestra/contracts';
import type { AbstractorRoute } from './route.ts';

const ERROR = { $ref: '#/components/schemas/Error' };

/** The interface as an OpenAPI 3.0.2 document. Pure. */
export function openApiOf(routes: readonly AbstractorRoute[]): JsonObject {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.0.2',
    info: { title: 'Oakestra root resource abstractor api', version: 'v1' },
    paths,
    components: {
      schemas: {
        Error: {
          type: 'object',
          required: ['code', 'status', 'message'],
          properties: {
            code: { type: 'integer' },
            status: { type: 'string' },
            message: { type: 'string' },
          },
        },
      },
      securitySchemes: { bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
    security: [{ bearerAuth: [] }],
  };
}

function operationOf({ path, access, summary, query = {}, body }: AbstractorRoute): JsonObject {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(query).map(([name, description]) => ({
    ...{ name, in: 'query', description },
    schema: { type: 'string' },
  }));
  return {
    summary,
    ...(access === 'public' ? { security: [] } : {}),
    parameters: [...inPath, ...inQuery],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } } }),
    responses: {
      '200': { description: 'Done.' },
      default: { description: 'Refused.', content: { 'application/json': { schema: ERROR } } },
    },
  };
}
