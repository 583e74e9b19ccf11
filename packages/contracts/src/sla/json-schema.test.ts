import { describe, expect, it } from 'vitest';
import { slaOpenApiSchema } from './json-schema.ts';

/** The schema at a path such as `applications.microservices.memory`; lists are passed through. */
function at(path: string): Record<string, unknown> {
  let schema = slaOpenApiSchema() as Record<string, unknown>;
  for (const name of path.split('.')) {
    schema = (schema.items ?? schema) as typeof schema;
    schema = (schema.properties as Record<string, typeof schema>)[name] as typeof schema;
  }
  return schema;
}

describe('the SLA as an OpenAPI schema', () => {
  it('demands what the contract demands', () => {
    const { required } = slaOpenApiSchema();
    expect(required).toEqual(['sla_version', 'customerID', 'applications']);
    expect((at('applications').items as { required: string[] }).required).toEqual([
      'application_name',
      'application_namespace',
      'microservices',
    ]);
    expect((at('applications.microservices').items as { required: string[] }).required).toEqual([
      'microservice_name',
      'microservice_namespace',
      'virtualization',
      'code',
    ]);
  });

  it('knows types, patterns and units', () => {
    expect(at('applications.application_name')).toMatchObject({
      type: 'string',
      pattern: '^[a-zA-Z0-9]{1,30}$',
    });
    expect(at('applications.microservices.memory')).toEqual({
      type: 'integer',
      minimum: 0,
      description: 'MB',
    });
    expect(at('applications.microservices.microserviceID')).toMatchObject({ maxLength: 0 });
    expect(at('applications.microservices.port').description).toContain('6080:80/tcp');
  });

  it('allows unknown fields at every level, and null nowhere', () => {
    const text = JSON.stringify(slaOpenApiSchema());
    expect(text).not.toContain('"additionalProperties":false');
    expect(text).not.toContain('null');
  });
});
