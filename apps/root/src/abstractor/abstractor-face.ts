import { STATUS_CODES } from 'node:http';
import { OakestraError } from '@oakestra/contracts';
import { encodeBody, errorToWire, malformedJsonToWire, notAnObjectToWire } from '@oakestra/contracts/classic';
import type { Logger } from '@oakestra/daemon';
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifyServerFactory,
  onRequestAsyncHookHandler,
  preHandlerAsyncHookHandler,
} from 'fastify';
import {
  type CorsPolicy,
  createHttpApp,
  createJsonBodyReader,
  headersOfError,
  internalErrorMessage,
  logFailure,
  pathOf,
  statusOfError,
} from '../http/index.ts';
import { applicationRoutes } from './application-routes.ts';
import { jobRoutes } from './job-routes.ts';
import type { AbstractorPorts } from './ports.ts';
import { resourceRoutes } from './resource-routes.ts';
import type { AbstractorAnswer, AbstractorRoute } from './route.ts';
import { extensionRoutes, stateRoutes } from './state-routes.ts';

export interface AbstractorFaceOptions extends AbstractorPorts {
  readonly logger: Logger;
  /**
   * Resolves when the caller may use the interface, rejects with the reason. The original lets everybody in; so the
   * default refuses everybody.
   */
  readonly authorize?: (request: FastifyRequest) => Promise<void>;
  /** Pages of which origins may call, such as that of the add-ons dashboard. Default: none. */
  readonly cors?: CorsPolicy;
  /** Makes the HTTP server, so that it can sit behind another listener. Default: one of Fastify's own. */
  readonly serverFactory?: FastifyServerFactory;
  /** Runs before everything else of each request; see `plainHttpPolicy`. Default: plain HTTP is answered. */
  readonly plainHttpPolicy?: onRequestAsyncHookHandler;
  /** See `createHttpApp`. */
  readonly beforeHandlers?: preHandlerAsyncHookHandler | undefined;
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const;

/** The endpoints of the face, in one list. */
export function abstractorRoutes({ resources, applications, jobs }: AbstractorPorts): AbstractorRoute[] {
  const routes: AbstractorRoute[] = [
    ...resourceRoutes(resources, jobs),
    ...applicationRoutes(applications),
    ...jobRoutes(jobs),
    ...extensionRoutes(),
  ];
  return [...stateRoutes(() => routes), ...routes];
}

/**
 * The resource abstractor of the root (root-api 11) over the same core as all faces. The result is configured but does
 * not listen.
 */
export function createAbstractorFace(options: AbstractorFaceOptions): FastifyInstance {
  const { logger, authorize = refuseEverybody, cors = [], serverFactory, plainHttpPolicy } = options;
  const refuse = errorSender(logger);
  return createHttpApp({
    faces: [(app) => addFace(app, { refuse, authorize, routes: abstractorRoutes(options) })],
    ...{ logger, cors, refuse, beforeHandlers: options.beforeHandlers },
    ...(serverFactory === undefined ? {} : { serverFactory }),
    ...(plainHttpPolicy === undefined ? {} : { plainHttpPolicy }),
  });
}

type ErrorSender = (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply;

interface FaceParts {
  readonly refuse: ErrorSender;
  readonly authorize: (request: FastifyRequest) => Promise<void>;
  readonly routes: readonly AbstractorRoute[];
}

function errorSender(logger: Logger): ErrorSender {
  return (error, request, reply) => {
    logFailure(logger, error, request);
    const status = statusOf(error);
    const { contentType, text } = encodeBody('plain', bodyOf(error, status, request.id));
    return reply
      .code(status)
      .headers({ ...headersOfError(error), 'content-type': contentType })
      .send(Buffer.from(text));
  };
}

function addFace(app: FastifyInstance, { refuse, authorize, routes }: FaceParts): void {
  const readJsonBody = createJsonBodyReader(app);
  // Some answers claim to be pages; none shall act like one.
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('content-security-policy', "default-src 'none'; sandbox");
  });
  app.setErrorHandler(refuse);
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} ${pathOf(request.url)}.`;
    return refuse(new OakestraError('not-found', 'path-unknown', message), request, reply);
  });

  app.get('/', { config: { access: 'public', anyRoot: true } }, async (_request, reply) =>
    reply.header('content-type', 'text/html; charset=utf-8').send(Buffer.from('ok')),
  );
  for (const route of routes) {
    app.route<{ Params: Record<string, string>; Querystring: Record<string, unknown> }>({
      // Checked by `authorize`, not by a role of ours.
      ...{ method: route.method, url: route.path, config: { access: 'public' } },
      handler: async (request, reply) => {
        if (route.access !== 'public') await authorize(request);
        const body = route.body === 'json' ? readJsonBody(request) : {};
        const call = { parameters: request.params, query: textsOf(request.query), body };
        return send(await route.handle(call), reply);
      },
    });
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const served = new Set<string>(routes.filter((route) => route.path === path).map(({ method }) => method));
    const others = METHODS.filter((method) => !served.has(method));
    if (others.length === 0) continue;
    app.route({
      ...{ method: others, url: path, config: { access: 'public', anyRoot: true } },
      handler: async (request, reply) => {
        reply.header('allow', [...served, 'OPTIONS'].join(', '));
        const message = `${request.method} is not possible here; ${[...served].join(' and ')} may be.`;
        throw new OakestraError('unsupported', 'method-unknown', message);
      },
    });
  }
}

function send({ status, body }: AbstractorAnswer, reply: FastifyReply): FastifyReply {
  if (body === undefined) return reply.code(status).send();
  const { contentType, text } = encodeBody(body.encoding, body.value);
  // As bytes: Fastify adds a charset to the content type of texts.
  return reply.code(status).header('content-type', contentType).send(Buffer.from(text));
}

/** Of a parameter that comes twice, the last one counts. */
function textsOf(query: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, String(Array.isArray(value) ? value.at(-1) : value)]),
  );
}

/** Where this interface differs from the others (root-api 11). */
const STATUS_OF_CODE: Readonly<Record<string, number>> = { 'id-malformed': 400, 'request-malformed': 400 };

function statusOf(error: unknown): number {
  const own = error instanceof OakestraError ? STATUS_OF_CODE[error.code] : undefined;
  return own ?? statusOfError(error) ?? 500;
}

function bodyOf(error: unknown, status: number, requestId: string) {
  const reason = STATUS_CODES[status] ?? 'Error';
  if (status === 500) return errorToWire({ status, reason, message: internalErrorMessage(requestId) });
  if (!(error instanceof OakestraError)) {
    return errorToWire({ status, reason, message: (error as Error).message });
  }
  const { code, message, violations, details } = error;
  if (code === 'body-malformed') return malformedJsonToWire(message);
  if (code === 'body-not-object') return notAnObjectToWire(message);
  const body = errorToWire({ status, reason, message, violations });
  return code === 'input-invalid' ? { ...body, details } : body;
}

async function refuseEverybody(): Promise<void> {
  throw new OakestraError(
    'forbidden',
    'abstractor-closed',
    'Nobody may use this interface: the root was started without saying who may.',
  );
}
