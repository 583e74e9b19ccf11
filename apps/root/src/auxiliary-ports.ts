import { messageOf } from '@oakestra/contracts';
import type { Clock, Logger, Teardown } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import type {
  FastifyInstance,
  FastifyServerFactory,
  onRequestAsyncHookHandler,
  preHandlerAsyncHookHandler,
} from 'fastify';
import {
  abstractorAccess,
  createAbstractorFace,
  createCorePorts,
  createKeyFace,
} from './abstractor/index.ts';
import type { Applications } from './applications/index.ts';
import type { Clusters } from './clusters/index.ts';
import type { Deployments } from './deployments/index.ts';
import { addressMatcher, type CorsPolicy, createDualServer, plainHttpPolicy } from './http/index.ts';
import type { Identity } from './identity/index.ts';
import type { Peers } from './peers/index.ts';

export interface AuxiliaryPorts {
  readonly identity: Identity;
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
  readonly tls: TlsIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cors: CorsPolicy;
  /** Where this root is one of several: see `peers`. */
  readonly peers: Peers | undefined;
  readonly settings: {
    readonly auxiliaryListen: string;
    readonly abstractorPort: number;
    readonly keyPort: number;
    readonly allowLegacy: readonly string[];
  };
}

type FaceOptions = {
  readonly serverFactory: FastifyServerFactory;
  readonly plainHttpPolicy: onRequestAsyncHookHandler;
  readonly beforeHandlers?: preHandlerAsyncHookHandler | undefined;
};

/**
 * The interfaces that only parts of the original ask for: the resource abstractor (11011) and the key of tokens
 * (10011). Users do without them, so a port that is taken is told and nothing more.
 */
export async function openAuxiliaryPorts(parts: AuxiliaryPorts, teardown: Teardown): Promise<void> {
  const { identity, settings, tls, clock, logger, cors, peers } = parts;
  const { auxiliaryListen: host, allowLegacy } = settings;

  const serve = async (
    door: 'abstractor' | 'key',
    what: string,
    port: number,
    makeFace: (options: FaceOptions) => FastifyInstance,
  ): Promise<void> => {
    const server = createDualServer(tls, clock);
    const { serverFactory } = server;
    const face = makeFace({
      serverFactory,
      plainHttpPolicy: plainHttpPolicy({ allowLegacy }),
      beforeHandlers: peers?.before(door),
    });
    peers?.open(door, server.answer);
    await face.ready();
    try {
      await server.listen({ host, port });
      teardown.add(what, () => server.close());
    } catch (error) {
      logger.warn(`${what} is not served`, { host, port, reason: messageOf(error) });
    }
  };

  await serve('abstractor', 'the resource abstractor', settings.abstractorPort, (options) =>
    createAbstractorFace({
      ...createCorePorts(parts),
      ...options,
      ...{ logger, cors },
      authorize: abstractorAccess({ identity, isLegacyAddress: addressMatcher(allowLegacy) }),
    }),
  );
  await serve('key', 'the key of tokens', settings.keyPort, ({ beforeHandlers: _any, ...options }) =>
    createKeyFace({ ...options, logger, publicKeyPem: identity.publicKeyPem }),
  );
}
