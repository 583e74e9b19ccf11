import type { Socket } from 'node:net';
import { Server } from '@grpc/grpc-js';
import {
  FLEET_CAPABILITY,
  type FleetCommand,
  fleetReportSchema,
  type Greeting,
  greetingSchema,
  isFleetMessage,
  messageOf,
  OakestraError,
  reportSchema,
  type TierCommand,
} from '@oakestra/contracts';
import type { LinkConnection, LinkEnd, LinkMessage } from '@oakestra/contracts/link';
import { acceptLinks } from '@oakestra/contracts/link/grpc';
import {
  type ClusterRegistration,
  type PeerAddress,
  type RegistrationCaller,
  registrationService,
} from '@oakestra/contracts/registration';
import {
  type Clock,
  createSerially,
  type Logger,
  type Random,
  randomHex,
  withDeadline,
} from '@oakestra/daemon';
import type { DownReason } from '@oakestra/ownership';
import { peerIdentity, type TlsIdentity } from '@oakestra/pki';
import type { DeploymentEngine } from '../deployments/index.ts';
import type { Fleet } from '../fleet/index.ts';
import { createClusterPort } from './cluster-port.ts';
import type { ClusterRegistry } from './registry.ts';

export interface ClusterLinksOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsIdentity;
  readonly registry: ClusterRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How long clusters should wait for us after an orderly stop. */
  readonly restartGraceMs: number;
  /** Brings the connections, where this does not listen by itself. Resolves to the port. */
  readonly connections?: ((take: (socket: Socket) => void) => Promise<number>) | undefined;
  /** Where a connection comes from that somebody passed on. */
  readonly originOf?: ((peer: PeerAddress | undefined) => PeerAddress | undefined) | undefined;
  /** May a peer at this address do without encryption and certificate? */
  readonly isLegacyAddress: (address: string) => boolean;
  readonly legacy: LegacyAdmission;
}

/** Clusters of the original, which register at the same port. */
export interface LegacyAdmission {
  has(clusterId: string): boolean;
  register(registration: ClusterRegistration, from: string | undefined): Promise<string>;
}

/** What the links tell. */
export type LinkedEngine = Pick<
  DeploymentEngine,
  'clusterUp' | 'clusterDown' | 'clusterReport' | 'clusterState' | 'incarnation'
>;

/** Who is told what clusters say of their workers. */
export type LinkedFleet = Pick<Fleet, 'clusterUp' | 'clusterDown' | 'clusterFacts' | 'report'>;

/** Port 50052: registration of clusters, and the links that they open. */
export interface ClusterLinks {
  send(clusterId: string, command: TierCommand | FleetCommand): boolean;
  dropAll(): void;
  lastSeenAtMs(clusterId: string): number | undefined;
  /** Starts to listen; links are served for this engine. Resolves to the port. */
  listen(engine: LinkedEngine, fleet: LinkedFleet): Promise<number>;
  /** Serves a connection that came in at another port. */
  take(socket: Socket): void;
  stop(): Promise<void>;
}

interface LinkedParts {
  readonly engine: LinkedEngine;
  readonly fleet: LinkedFleet;
}

const COMMAND_CLASS = 'commands';
/** What waits at the end may take this long to leave. */
const DRAIN_MS = 400;
const STOP_MS = 700;

export function createClusterLinks(options: ClusterLinksOptions): ClusterLinks {
  const { registry, clock, random, logger, legacy, originOf = (peer) => peer } = options;
  const server = new Server();
  const port = createClusterPort({ ...options, server, originOf });
  const serially = createSerially();
  const connections = new Map<string, LinkConnection>();
  const seenAtMs = new Map<string, number>();
  let acceptor: ReturnType<typeof acceptLinks> | undefined;

  const authorize = (certificate: Parameters<typeof peerIdentity>[0]): string => {
    const peer = peerIdentity(certificate);
    if (peer?.role !== 'cluster') {
      throw new OakestraError('forbidden', 'link-wrong-role', 'Only clusters may speak on this port');
    }
    return peer.name;
  };

  /** A name belongs to whoever holds its certificate, or to what it was registered as without one. */
  const register = async (registration: ClusterRegistration, caller: RegistrationCaller): Promise<string> => {
    const { certificate } = caller;
    const from = originOf(caller.address);
    // A root shows its own certificate when it passes on who has none.
    if (certificate === undefined || peerIdentity(certificate)?.role === 'root') {
      return legacy.register(registration, from?.address);
    }
    const { clusterName } = registration;
    const before = registry.byName(clusterName);
    if (authorize(certificate) !== clusterName) {
      throw new OakestraError(
        'forbidden',
        'registration-name',
        `A cluster registers only under the name of its certificate, not as "${clusterName}"`,
      );
    }
    if (before !== undefined && legacy.has(before.id)) {
      throw new OakestraError(
        'forbidden',
        'registration-name',
        `The name "${clusterName}" belongs to a cluster of the original, without a certificate. Choose another name`,
      );
    }
    const address = registration.advertisedAddress ?? from?.address ?? '127.0.0.1';
    const cluster = await registry.register(registration, address);
    // It registers before each link: worth a line only when something is new.
    if (cluster !== before) {
      logger.info('cluster registered', { cluster: cluster.name, id: cluster.id, address });
    }
    return cluster.id;
  };

  const serve = (parts: LinkedParts, connection: LinkConnection, name: string): void => {
    const { engine, fleet } = parts;
    const cluster = registry.byName(name);
    if (cluster === undefined || legacy.has(cluster.id)) {
      logger.warn('a cluster opened its link before it registered', { cluster: name });
      connection.close();
      return;
    }
    const { id } = cluster;
    let isGreeted = false;
    const receive = (message: LinkMessage): void => {
      if (message.type === 'greeting') {
        const greeting: Greeting = greetingSchema.parse(message.body);
        isGreeted = true;
        connections.set(id, connection);
        engine.clusterUp(id, greeting);
        fleet.clusterUp(id, greeting);
        if (engine.clusterState(id)?.mark.availability === 'removed') {
          connection.send(COMMAND_CLASS, 'removed', { type: 'removed' });
        }
        return;
      }
      // What an older link of the cluster still brings belongs to a session that is over.
      if (!isGreeted || connections.get(id) !== connection) return;
      if (isFleetMessage(message.type)) {
        fleet.report(id, fleetReportSchema.parse(message.body));
        return;
      }
      const report = reportSchema.parse(message.body);
      if (report.type === 'facts') fleet.clusterFacts(id, report.labels ?? {});
      const { capabilities } = connection.peer;
      engine.clusterReport(id, report.type === 'facts' ? { ...report, capabilities } : report);
    };
    connection.onMessage((message) => {
      seenAtMs.set(id, clock.nowMs());
      logger.debug('message received', { cluster: name, type: message.type });
      try {
        receive(message);
      } catch (error) {
        // One bad message never affects anything but itself.
        logger.warn('a message of a cluster was ignored', {
          cluster: name,
          type: message.type,
          reason: messageOf(error),
        });
      }
    });
    connection.onGap(() => connection.send(COMMAND_CLASS, 'sync', { type: 'sync', want: 'digest' }));
    void connection.closed.then((end) => {
      if (connections.get(id) !== connection) return;
      connections.delete(id);
      fleet.clusterDown(id);
      engine.clusterDown(id, downReasonOf(end));
    });
  };

  return {
    send(clusterId, command) {
      const epoch = 'epoch' in command ? { epoch: command.epoch } : {};
      logger.debug('command sent', { cluster: clusterId, type: command.type });
      return connections.get(clusterId)?.send(COMMAND_CLASS, command.type, command, epoch) ?? false;
    },
    dropAll() {
      for (const connection of [...connections.values()]) connection.close();
    },
    lastSeenAtMs: (clusterId) => seenAtMs.get(clusterId),

    async listen(engine, fleet) {
      const service = registrationService({
        // Two that ask for one name at once are told apart.
        register: (registration, caller) =>
          serially(registration.clusterName, () => register(registration, caller)),
        onError: (error) => logger.warn('a registration failed', { reason: messageOf(error) }),
      });
      server.addService(service.definition, service.implementation);
      acceptor = acceptLinks({
        server,
        identity: {
          role: 'root',
          name: options.tls.identity.name,
          incarnation: engine.incarnation(),
          bootId: randomHex(random, 8),
          capabilities: [FLEET_CAPABILITY],
        },
        clock,
        log: logger,
        settings: { drainMs: DRAIN_MS },
        authorize: ({ certificate }) => authorize(certificate),
        onConnection: (connection, name) => serve({ engine, fleet }, connection, name),
      });
      if (options.connections !== undefined) return options.connections(port.take);
      return port.listen({ host: options.host, port: options.port });
    },

    take: port.take,

    async stop() {
      const goodbye = { reason: 'restarting', graceMs: options.restartGraceMs } as const;
      const told = async (): Promise<void> => acceptor?.stop(goodbye);
      // Whoever does not listen any more must not keep us from stopping.
      await withDeadline(told, { clock, timeoutMs: STOP_MS, what: 'the goodbye to clusters' }).catch(
        () => {},
      );
      await port.stop();
    },
  };
}

function downReasonOf(end: LinkEnd): DownReason {
  if (end.kind === 'bye' && end.reason === 'restarting') return { kind: 'restarting', graceMs: end.graceMs };
  return end.kind === 'silent' ? { kind: 'silent' } : { kind: 'reset' };
}
