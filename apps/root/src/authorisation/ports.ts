import { setMaxListeners } from 'node:events';
import { probeStore } from '@oakestra/store';
import type { FastifyInstance, HTTPMethods } from 'fastify';
import {
  abstractorAccess,
  createAbstractorFace,
  createCorePorts,
  createKeyFace,
} from '../abstractor/index.ts';
import { apiFace, createIdempotencyKeys } from '../api/index.ts';
import { classicDocsFace, classicFace, classicRoutes, sendClassicError } from '../classic/index.ts';
import { createHttpApp } from '../http/index.ts';
import { createMetrics, operationsFace } from '../operations/index.ts';
import type { World } from './world.ts';

export interface Port {
  readonly app: FastifyInstance;
  /** Method and pattern of all that is served. */
  readonly routes: readonly string[];
  /** What is registered for several methods at once: it tells that there is another one (405). */
  readonly refusals: readonly { readonly method: HTTPMethods; readonly url: string }[];
}

export type PortName = 'api' | 'abstractor' | 'key';

/** What listens at a root, as `compose.ts` and `auxiliary-ports.ts` put it together, without listeners. */
export async function createPorts(world: World): Promise<Record<PortName, Port>> {
  const { identity, logger, store, clock, audit, events } = world;
  const version = '1.2.3';
  const stopping = new AbortController();
  // One for each event stream.
  setMaxListeners(0, stopping.signal);
  const api = createHttpApp({
    faces: [
      classicFace(world),
      classicDocsFace(classicRoutes(world)),
      apiFace({
        ...{ ...world, audit, events, version, stopping: stopping.signal },
        idempotency: createIdempotencyKeys(store, clock),
      }),
      operationsFace({
        metrics: createMetrics({ ...world, leads: () => true, version }),
        identity,
        checks: [{ name: 'store', check: () => probeStore(store, clock.nowMs()) }],
      }),
    ],
    ...{ logger, cors: [], refuse: sendClassicError },
  });
  const abstractor = createAbstractorFace({
    ...{ ...createCorePorts(world), logger },
    authorize: abstractorAccess({ identity }),
  });
  const key = createKeyFace({ logger, publicKeyPem: identity.publicKeyPem });
  return { api: await served(api), abstractor: await served(abstractor), key: await served(key) };
}

/** Asks the server itself what it serves: no list that somebody could forget to extend. */
async function served(app: FastifyInstance): Promise<Port> {
  const routes: string[] = [];
  const refusals: { method: HTTPMethods; url: string }[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    if (Array.isArray(method)) refusals.push(...method.map((one) => ({ method: one as HTTPMethods, url })));
    // HEAD is GET without its body, OPTIONS the preflights.
    else if (method !== 'HEAD' && method !== 'OPTIONS') routes.push(`${method} ${url}`);
  });
  await app.ready();
  return { app, routes: [...new Set(routes)], refusals };
}
