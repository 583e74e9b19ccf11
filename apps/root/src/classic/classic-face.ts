import { OakestraError } from '@oakestra/contracts';
import { encodeBody } from '@oakestra/contracts/classic';
import type { Logger } from '@oakestra/daemon';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  type onRequestAsyncHookHandler,
} from 'fastify';
import type { Applications } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments } from '../deployments/index.ts';
import { bearerToken, type Identity, type Principal } from '../identity/index.ts';
import { applicationRoutes } from './application-routes.ts';
import { authRoutes } from './auth-routes.ts';
import { clusterRoutes, statusRoutes } from './cluster-routes.ts';
import { httpErrorOf } from './http-errors.ts';
import { acceptAnyBody, createJsonBodyReader } from './json-body.ts';
import type { Access, Call, Reply, Route } from './route.ts';
import { serviceRoutes } from './service-routes.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. A route without it is refused at start. */
    access?: Access;
  }
}

export interface ClassicFaceParts {
  readonly identity: Identity;
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
}

interface ClassicFaceOptions extends ClassicFaceParts {
  readonly logger: Logger;
  /** Makes the HTTP server, so that it can sit behind another listener. Default: one of Fastify's own. */
  readonly serverFactory?: FastifyServerFactory;
  /** Runs before everything else of each request; see `plainHttpPolicy`. Default: plain HTTP is answered. */
  readonly plainHttpPolicy?: onRequestAsyncHookHandler;
  /** Default 4 MiB: the dashboard sends whole services back, output included. */
  readonly bodyLimitBytes?: number;
}

const DEFAULT_BODY_LIMIT_BYTES = 4 * 1024 * 1024;
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const;

/** The endpoints of the face, in one list. */
export function classicRoutes(parts: ClassicFaceParts): Route[] {
  return [
    ...statusRoutes(),
    ...authRoutes(parts.identity),
    ...applicationRoutes(parts),
    ...serviceRoutes(parts),
    ...clusterRoutes(parts.clusters),
  ];
}

/**
 * The HTTP interface that existing clients expect on port 10000 (root-api 2 to 4), byte shapes and all. The
 * result is configured but does not listen.
 */
export function createClassicFace(options: ClassicFaceOptions): FastifyInstance {
  const { identity, logger, serverFactory } = options;
  const app = Fastify({
    bodyLimit: options.bodyLimitBytes ?? DEFAULT_BODY_LIMIT_BYTES,
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => sendError(error, request, reply),
    ...(serverFactory === undefined ? {} : { serverFactory }),
  });
  const readJsonBody = createJsonBodyReader(app);
  acceptAnyBody(app);
  app.addHook('onRoute', ({ config, url }) => {
    if (config?.access === undefined) throw new Error(`the route ${url} does not say who may call it`);
  });
  app.addHook('onRequest', addCommonHeaders);
  if (options.plainHttpPolicy !== undefined) app.addHook('onRequest', options.plainHttpPolicy);
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} ${request.url.split('?')[0]}.`;
    sendError(new OakestraError('not-found', 'path-unknown', message), request, reply);
  });
  // Preflights come without a token (root-api 2.4).
  app.options('*', { config: { access: 'public' } }, answerPreflight);

  const routes = classicRoutes(options);
  for (const route of routes) addRoute(route);
  for (const path of new Set(routes.map((route) => route.path))) refuseOtherMethods(path);
  return app;

  function addRoute(route: Route): void {
    const { method, path: url, access } = route;
    app.route<{ Params: Record<string, string> }>({
      ...{ method, url, config: { access } },
      handler: async (request, reply) => {
        // In this order the original works, too: the body before the token (root-api 2.3).
        const body = route.body === 'json' ? readJsonBody(request) : {};
        const call = { parameters: request.params, body, remoteAddress: request.ip };
        return send(await answer(route, call, request), reply);
      },
    });
  }

  async function answer(route: Route, call: Call, request: FastifyRequest): Promise<Reply> {
    if (route.access === 'public') return route.handle(call);
    const token = bearerToken(request.headers.authorization);
    if (route.access === 'refresh') return route.handle(call, token);
    const caller = await identity.authenticate(token);
    if (route.access === 'admin') requireAdmin(caller);
    return route.handle(call, caller);
  }

  function refuseOtherMethods(path: string): void {
    const served = new Set<string>(routes.filter((route) => route.path === path).map(({ method }) => method));
    app.route({
      method: METHODS.filter((method) => !served.has(method)),
      url: path,
      config: { access: 'public' },
      handler: async (request, reply) => {
        reply.header('allow', [...served, 'OPTIONS'].join(', '));
        throw new OakestraError(
          'unsupported',
          'method-unknown',
          `${request.method} is not possible here; ${[...served].join(' and ')} ${served.size === 1 ? 'is' : 'are'}.`,
        );
      },
    });
  }

  function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const { status, headers, body } = httpErrorOf(error, request.id);
    if (status >= 500) {
      const { method, url, id: requestId } = request;
      logger.error('a request failed', { method, path: url.split('?')[0], status, requestId, error });
    }
    const { contentType, text } = encodeBody('plain', body);
    void reply
      .code(status)
      .headers({ ...headers, 'content-type': contentType })
      .send(Buffer.from(text));
  }
}

function send({ encoding, value }: Reply, reply: FastifyReply): FastifyReply {
  const { contentType, text } = encodeBody(encoding, value);
  // As bytes: Fastify adds a charset to the content type of texts.
  return reply.code(200).header('content-type', contentType).send(Buffer.from(text));
}

function requireAdmin({ roles }: Principal): void {
  if (roles.includes('Admin')) return;
  throw new OakestraError('forbidden', 'role-missing', 'You have not enough permissions!');
}

/** Any page may call (root-api 2.4): what counts is the token, which no browser sends by itself. */
async function addCommonHeaders(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.headers({
    'access-control-allow-origin': request.headers.origin ?? '*',
    vary: 'Origin',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // Some answers claim to be pages; none shall act like one.
    'content-security-policy': "default-src 'none'; sandbox",
  });
}

async function answerPreflight(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const wanted = request.headers['access-control-request-headers'];
  return reply
    .code(200)
    .headers({
      'access-control-allow-methods': 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT',
      'access-control-allow-headers': wanted ?? 'Authorization, Content-Type',
      'access-control-max-age': '600',
    })
    .send();
}
