import { encodeBody, errorToWire } from '@oakestra/contracts/classic';
import type { Logger } from '@oakestra/daemon';
import type { FastifyInstance, FastifyReply, FastifyServerFactory, onRequestAsyncHookHandler } from 'fastify';
import { createHttpApp, pathOf } from '../http/index.ts';

export interface KeyFaceOptions {
  /** The key that verifies tokens now (PEM, SubjectPublicKeyInfo); undefined: there is none yet. */
  readonly publicKeyPem: () => string | undefined;
  readonly logger: Logger;
  /** Makes the HTTP server, so that it can sit behind another listener. Default: one of Fastify's own. */
  readonly serverFactory?: FastifyServerFactory;
  /** Runs before everything else of each request; see `plainHttpPolicy`. Default: plain HTTP is answered. */
  readonly plainHttpPolicy?: onRequestAsyncHookHandler;
}

/**
 * What the original's network component waits for on port 10011 (root-api 12): the public key. Nothing is minted here:
 * whoever could reach the port could be anybody. The result is configured but does not listen.
 */
export function createKeyFace(options: KeyFaceOptions): FastifyInstance {
  const { publicKeyPem, logger, serverFactory, plainHttpPolicy } = options;
  return createHttpApp({
    faces: [(app) => addFace(app, publicKeyPem)],
    ...{ logger, cors: [] },
    ...(serverFactory === undefined ? {} : { serverFactory }),
    ...(plainHttpPolicy === undefined ? {} : { plainHttpPolicy }),
  });
}

function addFace(app: FastifyInstance, publicKeyPem: KeyFaceOptions['publicKeyPem']): void {
  const config = { access: 'public' } as const;
  app.get('/key', { config }, async (_request, reply) => {
    const pem = publicKeyPem();
    if (pem === undefined)
      return refuse(reply, 503, 'Service Unavailable', 'There is no key yet; ask again soon.');
    return send(reply, 200, { public_key: pem.endsWith('\n') ? pem : `${pem}\n` });
  });
  app.get('/health', { config }, async (_request, reply) => {
    const isReady = publicKeyPem() !== undefined;
    const text = isReady ? 'Working!' : 'Keys not available!';
    return reply
      .code(isReady ? 200 : 500)
      .header('content-type', 'text/html; charset=utf-8')
      .send(Buffer.from(text));
  });
  app.get('/status', { config }, async (_request, reply) => send(reply, 200, { status: 'ok' }));
  app.setNotFoundHandler((request, reply) => {
    const { method } = request;
    void refuse(reply, 404, 'Not Found', `There is no ${method} ${pathOf(request.url)}; there is GET /key.`);
  });
}

function refuse(reply: FastifyReply, status: number, reason: string, message: string): FastifyReply {
  return send(reply, status, errorToWire({ status, reason, message }));
}

function send(reply: FastifyReply, status: number, value: unknown): FastifyReply {
  const { contentType, text } = encodeBody('plain', value);
  // As bytes: Fastify adds a charset to the content type of texts.
  return reply.code(status).header('content-type', contentType).send(Buffer.from(text));
}
