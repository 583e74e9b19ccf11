import * as z from 'zod';
import type { JsonObject } from '../documents.ts';
import { type Endpoint, statusOf } from './endpoint.ts';
import { endpoints } from './endpoints.ts';
import { problemSchema } from './problem.ts';

/** Below this path everything of the clean API is served. */
export const API_BASE = '/api/v2';

/** The clean API as an OpenAPI 3.1 document, derived from the table of endpoints. */
export function openApiDocument(version: string): JsonObject {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [operationId, endpoint] of Object.entries<Endpoint>(endpoints)) {
    const path = `${API_BASE}${endpoint.path}`;
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operationOf(operationId, endpoint) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Oakestra API', version },
    paths,
    components: {
      securitySchemes: { bearerAuth: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: schemaOf(problemSchema, 'output') },
    },
    security: [{ bearerAuth: [] }],
  };
}

function operationOf(operationId: string, endpoint: Endpoint): JsonObject {
  const { summary, description, access, body, takesSla } = endpoint;
  const content = body === undefined ? undefined : { schema: schemaOf(body, 'input') };
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(access === 'public' ? { security: [] } : {}),
    parameters: [...pathParameters(endpoint), ...queryParameters(endpoint)],
    ...(content === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              'application/json': content,
              ...(takesSla === true ? { 'application/yaml': content } : {}),
            },
          },
        }),
    responses: {
      [String(statusOf(endpoint))]: replyOf(endpoint),
      default: {
        description: 'What went wrong',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

function replyOf({ reply, isStream }: Endpoint): JsonObject {
  if (reply === undefined) return { description: 'Done' };
  const type = isStream === true ? 'text/event-stream' : 'application/json';
  return { description: 'Done', content: { [type]: { schema: schemaOf(reply, 'output') } } };
}

/** Names in braces, in their order. */
export function parametersOf(path: string): string[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name as string);
}

function pathParameters({ path }: Endpoint): JsonObject[] {
  return parametersOf(path).map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'number' ? { type: 'integer', minimum: 0 } : { type: 'string' },
  }));
}

function queryParameters({ query }: Endpoint): JsonObject[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Record<string, JsonObject>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io }) as JsonObject;
  return rest;
}
