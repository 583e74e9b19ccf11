import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Face } from '../http/index.ts';
import { bearerToken, type Identity } from '../identity/index.ts';
import type { Metrics } from './metrics.ts';

/** One thing that must be right for requests to be answered. */
export interface ReadinessCheck {
  readonly name: string;
  /** Rejects with the reason when it is not. */
  check(): Promise<void>;
}

export interface OperationsFaceParts {
  readonly metrics: Metrics;
  readonly checks: readonly ReadinessCheck[];
  readonly identity: Pick<Identity, 'authenticate'>;
}

/** `/healthz`, `/readyz`, `/metrics`: for operators and their machines. */
export function operationsFace(parts: OperationsFaceParts): Face {
  return (app) => addOperations(app, parts);
}

function addOperations(app: FastifyInstance, { metrics, checks, identity }: OperationsFaceParts): void {
  app.get('/healthz', { config: { access: 'public', anyRoot: true } }, async () => ({ status: 'ok' }));
  app.get('/readyz', { config: { access: 'public', anyRoot: true } }, async (_request, reply) => {
    const results = await Promise.all(checks.map(resultOf));
    const isReady = results.every(({ isOk }) => isOk);
    // Reasons are for the log; who asks without a token learns the names.
    const state = Object.fromEntries(results.map(({ name, isOk }) => [name, isOk ? 'ok' : 'failed']));
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'failed', checks: state });
  });
  // Names of routes and counts tell about the business: a token is needed except from this machine.
  app.get('/metrics', { config: { access: 'user', anyRoot: true } }, async (request, reply) => {
    if (!isLocal(request)) {
      await identity.authenticate(bearerToken(request.headers.authorization), 'read');
    }
    return reply.header('content-type', metrics.contentType).send(await metrics.text());
  });
}

async function resultOf({ name, check }: ReadinessCheck): Promise<{ name: string; isOk: boolean }> {
  try {
    await check();
    return { name, isOk: true };
  } catch {
    return { name, isOk: false };
  }
}

function isLocal(request: FastifyRequest): boolean {
  const address = request.socket.remoteAddress ?? '';
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
