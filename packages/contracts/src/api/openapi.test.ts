import { describe, expect, it } from 'vitest';
import { endpoints, openApiDocument, parametersOf } from './index.ts';

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}
const document = openApiDocument('1.2.3') as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
const operations = Object.values(document.paths).flatMap((path) => Object.values(path));

describe('the OpenAPI document', () => {
  it('describes each operation once', () => {
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(endpoints).sort());
  });

  it('names every parameter of each path', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const { parameters } of Object.values(methods)) {
        const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
        expect(inPath).toEqual(parametersOf(path));
      }
    }
  });

  it('says what comes back, and how errors look', () => {
    for (const { responses } of operations) {
      expect(Object.keys(responses.default?.content ?? {})).toEqual(['application/problem+json']);
    }
    expect(document.paths['/api/v2/events']?.get?.responses['200']?.content).toHaveProperty([
      'text/event-stream',
    ]);
    const list = document.paths['/api/v2/services']?.get?.parameters.map(({ name }) => name);
    expect(list).toEqual(['limit', 'cursor', 'applicationId', 'name', 'status']);
  });
});
