import {
  CLUSTER_CAPABILITIES,
  commandSchema,
  FLEET_CAPABILITY,
  type FleetCommand,
  type FleetReport,
  fleetCommandSchema,
  isFleetMessage,
  type MemberFacts,
  messageOf,
  type Source,
  type TierReport,
} from '@oakestra/contracts';
import { dialLink, type LinkConnection, type LinkDialer } from '@oakestra/contracts/link';
import { grpcConnect } from '@oakestra/contracts/link/grpc';
import { createRegistrationClient } from '@oakestra/contracts/registration';
import { type Clock, type Logger, type Random, randomHex } from '@oakestra/daemon';
import { checkServerRole, type TlsIdentity } from '@oakestra/pki';
import type { InstanceEngine } from '../instances/index.ts';

export interface UplinkOptions {
  /** `host:port` of the roots. */
  readonly endpoints: readonly string[];
  /** Through the proxy that the variable `grpc_proxy` names. */
  readonly throughProxy: boolean;
  readonly tls: TlsIdentity;
  readonly clusterName: string;
  readonly clusterLocation: string;
  /** Own API port, which the registration names. */
  readonly apiPort: number;
  readonly advertisedAddress: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly restartGraceMs: number;
  readonly facts: () => MemberFacts;
  readonly fleet: FleetEnd;
}

/** Our end of what is said about workers. */
export interface FleetEnd {
  /** The root reads our table of workers. */
  sessionUp(source: Source): void;
  sessionDown(): void;
  command(command: FleetCommand): void;
}

/** The connection to the root: registers, then opens the link, again and again. */
export interface Uplink {
  start(engine: InstanceEngine): void;
  send(report: TierReport | FleetReport): void;
  /** Ends the session, so that it begins anew. */
  drop(): void;
  /** Id that the root gave us; undefined before the first registration. */
  clusterId(): string | undefined;
  isConnected(): boolean;
  stop(): Promise<void>;
}

/** Figures wait for everything else. */
const CLASS_OF: Readonly<Record<(TierReport | FleetReport)['type'], 'status' | 'reports'>> = {
  changes: 'status',
  digest: 'status',
  page: 'status',
  described: 'status',
  usage: 'reports',
  facts: 'reports',
  workers: 'reports',
};

/** The name that every certificate of a root carries, whatever its address. */
const ROOT_SERVER_NAME = 'root.oakestra.internal';

export function createUplink(options: UplinkOptions): Uplink {
  const { clock, random, logger, tls } = options;
  let clusterId: string | undefined;
  let connection: LinkConnection | undefined;
  let dialer: LinkDialer | undefined;
  const check = {
    serverName: ROOT_SERVER_NAME,
    checkServer(certificate: Parameters<typeof checkServerRole>[0]) {
      const mismatch = checkServerRole(certificate, { serverRole: 'root' });
      if (mismatch !== undefined) throw mismatch;
    },
  };

  const throughProxy = { throughProxy: options.throughProxy };

  const register = async (endpoint: string, signal: AbortSignal): Promise<void> => {
    const client = createRegistrationClient({
      endpoint,
      tls,
      timeoutMs: 10_000,
      waitsForRoot: false,
      ...check,
      ...throughProxy,
    });
    try {
      clusterId = await client.register(
        {
          clusterName: options.clusterName,
          clusterLocation: options.clusterLocation,
          managerPort: options.apiPort,
          networkComponentPort: 10_110,
          clusterInfo: {},
          advertisedAddress: options.advertisedAddress,
          token: undefined,
        },
        signal,
      );
    } finally {
      client.close();
    }
  };

  const send = (report: TierReport | FleetReport): void => {
    logger.debug('message sent', { type: report.type });
    connection?.send(CLASS_OF[report.type], report.type, report);
  };

  const serve = (engine: InstanceEngine, opened: LinkConnection): void => {
    connection = opened;
    opened.onMessage((message) => {
      logger.debug('command received', { type: message.type });
      try {
        if (isFleetMessage(message.type)) options.fleet.command(fleetCommandSchema.parse(message.body));
        else engine.rootCommand(commandSchema.parse(message.body));
      } catch (error) {
        logger.warn('a command of the root was ignored', { type: message.type, reason: messageOf(error) });
      }
    });
    opened.send('status', 'greeting', engine.greeting());
    send(options.facts());
    engine.rootUp();
    const { incarnation, boot } = engine.greeting();
    if (opened.peer.capabilities.includes(FLEET_CAPABILITY)) options.fleet.sessionUp({ incarnation, boot });
  };

  return {
    start(engine) {
      const connect = grpcConnect({ tls: () => tls, ...check, ...throughProxy });
      dialer = dialLink({
        endpoints: options.endpoints,
        async connect(endpoint, signal) {
          await register(endpoint, signal);
          return connect(endpoint, signal);
        },
        identity: {
          role: 'cluster',
          name: options.clusterName,
          incarnation: engine.greeting().incarnation,
          bootId: randomHex(random, 8),
          capabilities: [...CLUSTER_CAPABILITIES, FLEET_CAPABILITY],
        },
        clock,
        random,
        log: logger,
        checkPeer(peer) {
          if (peer.role !== 'root') throw new Error(`the peer is a ${peer.role}, not a root`);
        },
        onUp: (opened) => serve(engine, opened),
        onDown() {
          connection = undefined;
          options.fleet.sessionDown();
          engine.rootDown();
        },
      });
    },
    send,
    drop: () => connection?.close(),
    clusterId: () => clusterId,
    isConnected: () => connection !== undefined,
    async stop() {
      await dialer?.stop({ reason: 'restarting', graceMs: options.restartGraceMs });
    },
  };
}
