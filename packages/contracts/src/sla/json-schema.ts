import * as z from 'zod';
import type { JsonObject } from '../documents.ts';
import { slaSchema } from './schema.ts';

/**
 * A schema of ours as OpenAPI 3.0 writes schemas. Rules that such a schema cannot express (port mappings, addresses,
 * what concerns several fields) are told in descriptions.
 */
export function openApiSchemaOf(schema: z.ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    unrepresentable: 'any',
    override({ jsonSchema }) {
      // No limit of the contract, but of the numbers of JavaScript.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return rest as JsonObject;
}

/** The deployment descriptor, for the document of the classic interface (root-api 2.5). */
export function slaOpenApiSchema(): JsonObject {
  return openApiSchemaOf(slaSchema);
}
