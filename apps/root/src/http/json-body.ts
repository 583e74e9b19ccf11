import { type JsonObject, OakestraError } from '@oakestra/contracts';
import { readDocumentText } from '@oakestra/contracts/sla';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/**
 * Takes every body as text, whatever its content type says or lacks: old clients send JSON under several names,
 * and bodies where none is expected (root-api 2.2, 4.5).
 */
export function acceptAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
}

/** Parses the body of a request as a JSON object; refuses anything else as root-api 2.3 says. */
export type JsonBodyReader = (request: FastifyRequest) => JsonObject;

export function createJsonBodyReader(app: FastifyInstance): JsonBodyReader {
  // Refuses keys that would reach into the prototype of objects.
  const parse = app.getDefaultJsonParser('error', 'error');
  return (request) => {
    const source = typeof request.body === 'string' ? request.body : '';
    if (source.trim() === '') {
      throw new OakestraError('invalid', 'body-missing', 'The request has no body; send a JSON object.');
    }
    if (isYaml(request.headers['content-type'])) return objectOf(fromYaml(request, source));
    let outcome: { error: Error | null; value?: unknown } | undefined;
    parse(request, source, (error, value) => {
      outcome = { error, value };
    });
    if (outcome === undefined || outcome.error !== null) {
      const reason = outcome?.error?.message ?? 'unknown reason';
      throw new OakestraError('invalid', 'body-malformed', `The body is no valid JSON: ${reason}`);
    }
    return objectOf(outcome.value);
  };
}

/** SLAs are accepted as YAML, too. */
function fromYaml(request: FastifyRequest, source: string): unknown {
  const read = readDocumentText(source, request.headers['content-type']);
  if (read.ok) return read.value;
  throw new OakestraError('invalid', 'body-malformed', `The body is no valid YAML: ${read.message}`);
}

const isYaml = (contentType: string | undefined): boolean => /\byaml\b/i.test(contentType ?? '');

function objectOf(value: unknown): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new OakestraError('invalid', 'body-not-object', 'The body must be a JSON object.');
}
