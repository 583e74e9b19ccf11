import { OakestraError } from '@oakestra/contracts';
import {
  API_BASE,
  type Endpoint,
  endpoints,
  type Operation,
  openApiDocument,
  statusOf,
} from '@oakestra/contracts/api';
import type { Clock, Logger } from '@oakestra/daemon';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Applications } from '../applications/index.ts';
import type { AuditJournal } from '../audit/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments } from '../deployments/index.ts';
import type { EventJournal, JournalEvent } from '../events/index.ts';
import type { Fleet } from '../fleet/index.ts';
import { callerAddress, type Face, logFailure, pathOf, problemOf, sendProblem } from '../http/index.ts';
import { bearerToken, type Identity, isRootAdmin, type Principal, type Scope } from '../identity/index.ts';
import type { SealedObjects } from '../sealed-objects/index.ts';
import { applicationHandlers } from './application-handlers.ts';
import { auditHandlers } from './audit-handlers.ts';
import { createBodyReader } from './body.ts';
import { clusterHandlers } from './cluster-handlers.ts';
import { streamEvents } from './event-stream.ts';
import type { ApiCall, ApiHandlers } from './handlers.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import { identityHandlers } from './identity-handlers.ts';
import { parsedQuery } from './query.ts';
import { sealedObjectHandlers } from './sealed-object-handlers.ts';
import { serviceHandlers } from './service-handlers.ts';
import { etagOf, isSameDefinition } from './views.ts';
import { createVisibility } from './visibility.ts';

export interface ApiFaceParts {
  readonly identity: Pick<Identity, 'authenticate' | 'personalTokens' | 'endSessions' | 'rotateSigningKey'>;
  readonly audit: Pick<AuditJournal, 'read' | 'entry' | 'record'>;
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
  readonly sealedObjects: SealedObjects;
  readonly events: EventJournal;
  readonly fleet: Fleet;
  readonly idempotency: IdempotencyKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  /** Ends what would never end by itself. */
  readonly stopping: AbortSignal;
}

/** The clean API below `/api/v2`: the same core as the classic one, for new clients. */
export function apiFace(parts: ApiFaceParts): Face {
  return (app) => void app.register(async (scope) => addApiFace(scope, parts), { prefix: API_BASE });
}

/** Those that need nothing but the store: where several roots share it, each of them answers. */
function storeHandlersOf(parts: Pick<ApiFaceParts, 'identity' | 'audit'>) {
  const readMe: ApiHandlers['readMe'] = async ({ caller: { userId, userName, organisationId, roles } }) => ({
    ...{ userId, userName, organisationId },
    roles: [...roles],
  });
  return { readMe, ...identityHandlers(parts), ...auditHandlers(parts.audit) };
}

function handlersOf(parts: ApiFaceParts): ApiHandlers {
  const visibility = createVisibility();
  const shared = { ...parts, visibility };
  return {
    ...storeHandlersOf(parts),
    ...applicationHandlers(shared),
    ...serviceHandlers(shared),
    ...sealedObjectHandlers(shared),
    ...clusterHandlers(parts),
    async followEvents({ query, caller, request, reply }) {
      const lastId = request.headers['last-event-id'];
      await streamEvents(reply, {
        journal: parts.events,
        clock: parts.clock,
        isWanted: (event) =>
          (query.serviceId === undefined || query.serviceId === event.serviceId) &&
          (event.ownerUserId === '' || visibility.maySee(caller, ownerOf(event))),
        afterId: query.after ?? (typeof lastId === 'string' && lastId !== '' ? lastId : undefined),
        stopping: parts.stopping,
      });
      return undefined;
    },
  };
}

function addApiFace(app: FastifyInstance, parts: ApiFaceParts): void {
  const { identity, logger } = parts;
  const handlers = handlersOf(parts);
  const readBody = createBodyReader(app);

  app.setErrorHandler((error, request, reply) => {
    logFailure(logger, error, request);
    return sendProblem(reply, problemOf(error, request.id));
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} ${pathOf(request.url)}; ${API_BASE}/openapi.json lists what there is.`;
    return sendProblem(reply, problemOf(new OakestraError('not-found', 'path-unknown', message), request.id));
  });
  const anywhere = new Set(Object.keys(storeHandlersOf(parts)));
  app.get('/openapi.json', { config: { access: 'public', anyRoot: true } }, async () =>
    openApiDocument(parts.version),
  );
  for (const [operation, endpoint] of Object.entries(endpoints)) add(operation as Operation, endpoint);

  function add(operation: Operation, endpoint: Endpoint): void {
    app.route<{ Params: Record<string, string> }>({
      method: endpoint.method,
      url: endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      config: { access: endpoint.access, anyRoot: anywhere.has(operation) },
      async handler(request, reply) {
        const caller = await identity.authenticate(
          bearerToken(request.headers.authorization),
          scopeOf(endpoint),
        );
        requireAccess(endpoint, caller);
        const call = {
          parameters: request.params,
          query: parsedQuery(endpoint.query, request.query),
          body: readBody(endpoint, request),
          caller: { ...caller, address: callerAddress(request) },
          requireMatch: (resource: unknown) => requireMatch(request, resource),
          request,
          reply,
        };
        // The table has checked that call and handler belong together.
        const handle = handlers[operation] as (call: ApiCall<never>) => Promise<unknown>;
        return answer(operation, endpoint, call, () => handle(call as unknown as ApiCall<never>));
      },
    });
  }

  async function answer(
    operation: Operation,
    endpoint: Endpoint,
    { caller, request, reply }: { caller: Principal; request: FastifyRequest; reply: FastifyReply },
    handle: () => Promise<unknown>,
  ): Promise<FastifyReply> {
    const key = request.headers['idempotency-key'];
    if (endpoint.method === 'GET' || typeof key !== 'string') {
      return send(endpoint, request, reply, await handle());
    }
    const text = `${request.url}\n${String(request.body ?? '')}`;
    // The hash of what is easily guessed would tell it.
    const compared = endpoint.isSensitive === true ? parts.sealedObjects.fingerprint(text) : text;
    const result = await parts.idempotency.once(
      {
        userId: caller.userId,
        key,
        operation,
        request: compared,
        isSecret: endpoint.hasSecretReply === true,
      },
      handle,
    );
    return send(endpoint, request, reply, result);
  }
}

function send(
  endpoint: Endpoint,
  request: FastifyRequest,
  reply: FastifyReply,
  value: unknown,
): FastifyReply {
  if (endpoint.isStream === true) return reply;
  if (endpoint.reply === undefined) return reply.code(204).send();
  const text = JSON.stringify(value);
  if (endpoint.method === 'GET' || endpoint.method === 'PUT') {
    const etag = etagOf(value, text);
    reply.header('etag', etag);
    if (endpoint.method === 'GET' && request.headers['if-none-match'] === etag) return reply.code(304).send();
  }
  return reply.code(statusOf(endpoint)).header('content-type', 'application/json').send(Buffer.from(text));
}

function requireMatch(request: FastifyRequest, resource: unknown): void {
  const ifMatch = request.headers['if-match'];
  if (ifMatch === undefined || isSameDefinition(ifMatch, resource)) return;
  throw new OakestraError(
    'conflict',
    'revision-stale',
    'If-Match: somebody changed this since you read it. Read it again, then decide.',
  );
}

/** Events know their owner alone: what an organisation shares is read from the objects. */
const ownerOf = ({ ownerUserId, organisationId }: JournalEvent) => ({ ownerUserId, organisationId });

/** What a personal access token must allow. */
function scopeOf({ access, method }: Endpoint): Scope {
  if (access === 'admin') return 'admin';
  return method === 'GET' ? 'read' : 'write';
}

function requireAccess({ access }: Endpoint, caller: Principal): void {
  if (access !== 'admin' || isRootAdmin(caller)) return;
  throw new OakestraError(
    'forbidden',
    'role-missing',
    'This is for administrators of the whole installation.',
  );
}
