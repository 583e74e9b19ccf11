import { OakestraError } from '@oakestra/contracts';
import type { Endpoint } from '@oakestra/contracts/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { createJsonBodyReader } from '../http/index.ts';
import { violationsOf } from './violations.ts';

/** Reads and checks the body that an endpoint declares; undefined when it declares none. */
export type BodyReader = (endpoint: Endpoint, request: FastifyRequest) => unknown;

export function createBodyReader(app: FastifyInstance): BodyReader {
  const readJson = createJsonBodyReader(app);
  return ({ body }, request) => {
    if (body === undefined) return undefined;
    const parsed = body.safeParse(readJson(request));
    if (parsed.success) return parsed.data;
    const violations = violationsOf(parsed.error);
    const [first] = violations;
    throw new OakestraError('invalid', 'body-invalid', `${first?.path}: ${first?.message}`, { violations });
  };
}
