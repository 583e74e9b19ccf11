import { API_BASE } from '@oakestra/contracts/api';
import type { Logger } from '@oakestra/daemon';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  type onRequestAsyncHookHandler,
  type preHandlerAsyncHookHandler,
} from 'fastify';
import { type CorsPolicy, corsHeaders, preflightHeaders } from './cors.ts';
import { acceptAnyBody } from './json-body.ts';
import { problemOf, sendProblem } from './problem.ts';
import { statusOfError } from './status-of-error.ts';

/**
 * Who may call a route: anybody; whoever holds a refresh token; users with an access token; administrators; peers with a
 * certificate or an admitted address, and administrators.
 */
export type Access = 'public' | 'refresh' | 'user' | 'admin' | 'peer';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. A route without it is refused at start. */
    access?: Access;
    /** Where several roots share a store: any of them answers, not only the one that leads. Default false. */
    anyRoot?: boolean;
  }
}

/** A set of endpoints of one style, with its own way to say what went wrong. */
export type Face = (app: FastifyInstance) => void;

export interface HttpAppOptions {
  readonly faces: readonly Face[];
  readonly logger: Logger;
  readonly cors: CorsPolicy;
  /** Makes the HTTP server, so that it can sit behind another listener. Default: one of Fastify's own. */
  readonly serverFactory?: FastifyServerFactory;
  /** Runs before everything else of each request; see `plainHttpPolicy`. Default: plain HTTP is answered. */
  readonly plainHttpPolicy?: onRequestAsyncHookHandler;
  /** Runs before the handlers, and may answer in their place: another root leads. Default: this one answers all. */
  readonly beforeHandlers?: preHandlerAsyncHookHandler | undefined;
  /**
   * Answers requests that reach no face, such as those with a malformed address, where they are not for the clean API.
   * Default: problem details for all.
   */
  readonly refuse?: (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply;
  /** Told of every answer; the route is the pattern of the address. */
  readonly onAnswered?: (answered: {
    readonly route: string;
    readonly method: string;
    readonly status: number;
    readonly seconds: number;
  }) => void;
  /** Default 4 MiB: the dashboard sends whole services back, output included. */
  readonly bodyLimitBytes?: number;
}

const DEFAULT_BODY_LIMIT_BYTES = 4 * 1024 * 1024;

/** Everything that is served on port 10000. The result is configured but does not listen. */
export function createHttpApp(options: HttpAppOptions): FastifyInstance {
  const { serverFactory, cors, plainHttpPolicy } = options;
  const refuse: NonNullable<HttpAppOptions['refuse']> = (error, request, reply) =>
    options.refuse === undefined || request.url.startsWith(`${API_BASE}/`)
      ? sendProblem(reply, problemOf(error, request.id))
      : options.refuse(error, request, reply);
  const app = Fastify({
    bodyLimit: options.bodyLimitBytes ?? DEFAULT_BODY_LIMIT_BYTES,
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => void refuse(error, request, reply),
    ...(serverFactory === undefined ? {} : { serverFactory }),
  });
  acceptAnyBody(app);
  app.setErrorHandler((error, request, reply) => {
    logFailure(options.logger, error, request);
    return refuse(error, request, reply);
  });
  app.addHook('onRoute', ({ config, url }) => {
    if (config?.access === undefined) throw new Error(`the route ${url} does not say who may call it`);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(corsHeaders(cors, request.headers.origin));
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  });
  const { onAnswered } = options;
  if (onAnswered !== undefined) {
    app.addHook('onResponse', async (request, reply) => {
      onAnswered({
        route: request.routeOptions.url ?? '(none)',
        method: request.method,
        status: reply.statusCode,
        seconds: reply.elapsedTime / 1000,
      });
    });
  }
  if (plainHttpPolicy !== undefined) app.addHook('onRequest', plainHttpPolicy);
  // Preflights come without a token (root-api 2.4).
  if (options.beforeHandlers !== undefined) app.addHook('preHandler', options.beforeHandlers);
  app.options('*', { config: { access: 'public', anyRoot: true } }, async (request, reply) =>
    reply.code(200).headers(preflightHeaders(request.headers['access-control-request-headers'])).send(),
  );
  for (const face of options.faces) app.register(async (scope) => face(scope));
  return app;
}

/** Logs what is our own fault; who asked for nonsense is told so, and nobody else. */
export function logFailure(logger: Logger, error: unknown, request: FastifyRequest): void {
  if ((statusOfError(error) ?? 500) < 500) return;
  const { method, url, id: requestId } = request;
  logger.error('a request failed', { method, path: pathOf(url), requestId, error });
}

export function pathOf(url: string): string {
  return url.split('?')[0] as string;
}
