import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { messageOf, OakestraError } from '@oakestra/contracts';
import {
  type NodeRegistrationAnswer,
  nodeRegistrationSchema,
  TIER_CAPABILITY,
} from '@oakestra/contracts/worker-wire';
import type { Logger } from '@oakestra/daemon';
import { requirePeer, type TlsIdentity, tlsServerOptions } from '@oakestra/pki';
import fastify, { type FastifyInstance } from 'fastify';
import type { WorkerRegistry } from '../workers/index.ts';

export interface ClusterApiOptions {
  readonly tls: TlsIdentity;
  readonly registry: WorkerRegistry;
  readonly mqttPort: number;
  readonly clusterName: string;
  readonly clusterId: () => string | undefined;
  readonly isConnectedToRoot: () => boolean;
  readonly connectedWorkers: () => number;
  readonly logger: Logger;
}

const STATUS_OF_KIND: Readonly<Partial<Record<OakestraError['kind'], number>>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
};

/** Port 10100: registration of workers, and what this cluster says of itself (cluster-protocol 3). */
export function createClusterApi(options: ClusterApiOptions): FastifyInstance {
  const app = fastify({
    serverFactory: (handler) =>
      createServer(tlsServerOptions(options.tls, { requireClientCertificate: true }), handler),
    bodyLimit: 1024 * 1024,
    forceCloseConnections: true,
    // Both spellings, as peers of the compatible contract use them.
    routerOptions: { ignoreTrailingSlash: true },
  });

  app.setErrorHandler((error, _request, reply) => {
    const known = error instanceof OakestraError ? error : undefined;
    const own = (error as { statusCode?: number }).statusCode;
    const code = known === undefined ? (own ?? 500) : (STATUS_OF_KIND[known.kind] ?? 500);
    if (code >= 500) options.logger.error('a request failed', { error });
    void reply.code(code).send({
      code,
      status: code >= 500 ? 'Internal Server Error' : 'Bad Request',
      message: messageOf(error),
      ...(known === undefined || known.violations.length === 0 ? {} : { violations: known.violations }),
    });
  });

  app.get('/status', async () => ({ status: 'ok' }));

  app.get('/api/cluster/status', async () => ({
    cluster_name: options.clusterName,
    cluster_id: options.clusterId() ?? null,
    connected_to_root: options.isConnectedToRoot(),
    connected_workers: options.connectedWorkers(),
  }));

  app.post('/api/node/register', async (request): Promise<NodeRegistrationAnswer> => {
    const peer = requirePeer(request.raw.socket as TLSSocket, ['worker']);
    const parsed = nodeRegistrationSchema.safeParse(request.body);
    if (!parsed.success) {
      const violations = parsed.error.issues.map((issue) => ({
        path: issue.path.join('.'),
        message: issue.message,
      }));
      const text = violations.map(({ path, message }) => `${path || 'body'}: ${message}`).join('; ');
      throw new OakestraError('invalid', 'registration-invalid', `The registration is not valid: ${text}`, {
        violations,
      });
    }
    if (parsed.data.host !== peer.name) {
      throw new OakestraError(
        'forbidden',
        'registration-name',
        `host: "${parsed.data.host}" is not the worker of the certificate ("${peer.name}"); a worker registers only itself`,
      );
    }
    const worker = await options.registry.register(parsed.data);
    options.logger.info('worker registered', { worker: worker.id, name: worker.name });
    return { id: worker.id, MQTT_BROKER_PORT: String(options.mqttPort), capabilities: [TIER_CAPABILITY] };
  });

  return app;
}
