import { OakestraError } from '@oakestra/contracts';
import { encodeBody } from '@oakestra/contracts/classic';
import type { Logger } from '@oakestra/daemon';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Applications } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments } from '../deployments/index.ts';
import { callerAddress, createJsonBodyReader, type Face, logFailure, pathOf } from '../http/index.ts';
import { bearerToken, type Identity, type Principal, type Scope } from '../identity/index.ts';
import type { LegacyClusters } from '../legacy-clusters/index.ts';
import { applicationRoutes } from './application-routes.ts';
import { authRoutes } from './auth-routes.ts';
import { type CallbackCaller, callbackAccess } from './callback-access.ts';
import { callbackRoutes } from './callback-routes.ts';
import { clusterRoutes, statusRoutes } from './cluster-routes.ts';
import { httpErrorOf } from './http-errors.ts';
import { organisationRoutes } from './organisation-routes.ts';
import type { Call, Reply, Route } from './route.ts';
import { serviceRoutes } from './service-routes.ts';
import { userRoutes } from './user-routes.ts';

export interface ClassicFaceParts {
  readonly identity: Identity;
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
  readonly legacyClusters: Pick<LegacyClusters, 'report'>;
  /** May a peer of the original at this address call without a token? */
  readonly isLegacyAddress: (address: string) => boolean;
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const;

/** The endpoints of the face, in one list. */
export function classicRoutes(parts: ClassicFaceParts): Route[] {
  return [
    ...[
      ...statusRoutes(),
      ...authRoutes(parts.identity),
      ...userRoutes(parts.identity),
      ...organisationRoutes(parts.identity),
    ].map((route): Route => ({ ...route, anyRoot: true })),
    ...applicationRoutes(parts),
    ...serviceRoutes(parts),
    ...clusterRoutes(parts.clusters),
    ...callbackRoutes(parts),
  ];
}

/** The HTTP interface that existing clients expect on port 10000 (root-api 2 to 4), byte shapes and all. */
export function classicFace(parts: ClassicFaceParts & { readonly logger: Logger }): Face {
  return (app) => addClassicFace(app, parts);
}

function addClassicFace(app: FastifyInstance, options: ClassicFaceParts & { readonly logger: Logger }): void {
  const { identity, logger } = options;
  const readJsonBody = createJsonBodyReader(app);
  // Some answers claim to be pages; none shall act like one.
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('content-security-policy', "default-src 'none'; sandbox");
  });
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} ${pathOf(request.url)}.`;
    sendError(new OakestraError('not-found', 'path-unknown', message), request, reply);
  });

  const callerOf = callbackAccess(options);
  const callers = new WeakMap<FastifyRequest, CallbackCaller>();
  const routes = classicRoutes(options);
  for (const route of routes) addRoute(route);
  for (const path of new Set(routes.map((route) => route.path))) refuseOtherMethods(path);

  function addRoute(route: Route): void {
    const { method, path: url, access, bodyLimitBytes, anyRoot = false } = route;
    app.route<{ Params: Record<string, string> }>({
      ...{ method, url, config: { access, anyRoot } },
      ...(bodyLimitBytes === undefined ? {} : { bodyLimit: bodyLimitBytes }),
      ...(access === 'peer' ? { onRequest: admitPeer } : {}),
      handler: async (request, reply) => {
        // In this order the original works, too: the body before the token (root-api 2.3).
        const body = route.body === 'json' ? readJsonBody(request) : {};
        const call = { parameters: request.params, body, remoteAddress: callerAddress(request) };
        return send(await answer(route, call, request), reply);
      },
    });
  }

  /** Before the body is read: theirs may be large. */
  async function admitPeer(request: FastifyRequest): Promise<void> {
    callers.set(request, await callerOf(request));
  }

  async function answer(route: Route, call: Call, request: FastifyRequest): Promise<Reply> {
    if (route.access === 'public') return route.handle(call);
    if (route.access === 'peer') return route.handle(call, callers.get(request) as CallbackCaller);
    const token = bearerToken(request.headers.authorization);
    if (route.access === 'refresh') return route.handle(call, token);
    const caller = await identity.authenticate(token, scopeOf(route));
    if (route.access === 'admin') requireAdmin(caller);
    return route.handle(call, caller);
  }

  function refuseOtherMethods(path: string): void {
    const served = new Set<string>(routes.filter((route) => route.path === path).map(({ method }) => method));
    app.route({
      method: METHODS.filter((method) => !served.has(method)),
      url: path,
      config: { access: 'public', anyRoot: true },
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
    logFailure(logger, error, request);
    sendClassicError(error, request, reply);
  }
}

/** Whatever went wrong, in the shape that old clients read. */
export function sendClassicError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, headers, body } = httpErrorOf(error, request.id);
  const { contentType, text } = encodeBody('plain', body);
  return reply
    .code(status)
    .headers({ ...headers, 'content-type': contentType })
    .send(Buffer.from(text));
}

function send({ encoding, value }: Reply, reply: FastifyReply): FastifyReply {
  const { contentType, text } = encodeBody(encoding, value);
  // As bytes: Fastify adds a charset to the content type of texts.
  return reply.code(200).header('content-type', contentType).send(Buffer.from(text));
}

/** What a personal access token must allow. */
function scopeOf({ access, method }: Route): Scope {
  if (access === 'admin') return 'admin';
  return method === 'GET' ? 'read' : 'write';
}

function requireAdmin({ roles }: Principal): void {
  if (roles.includes('Admin')) return;
  throw new OakestraError('forbidden', 'role-missing', 'You have not enough permissions!');
}
