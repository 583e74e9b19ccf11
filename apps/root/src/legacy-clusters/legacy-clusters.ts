import { OakestraError, type TierCommand } from '@oakestra/contracts';
import {
  type ClassicClusterFigures,
  deploymentToWire,
  type ReportedResources,
  readClusterReport,
} from '@oakestra/contracts/classic';
import type { ClusterRegistration } from '@oakestra/contracts/registration';
import type { Clock, Logger } from '@oakestra/daemon';
import type { ClusterRegistry, RegisteredCluster } from '../clusters/index.ts';
import type { ClusterCall } from './calls.ts';
import { callOverHttp } from './http-calls.ts';
import type { LegacyBook } from './legacy-book.ts';
import type { LegacyEngine } from './legacy-engine.ts';
import { createLegacyPeer, type LegacyPeer } from './peer.ts';

export interface LegacyClustersOptions {
  readonly book: LegacyBook;
  readonly registry: ClusterRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Is this the address of a peer that may do without a certificate? */
  readonly isLegacyAddress: (address: string) => boolean;
  /**
   * What clusters bring along that come for the first time is kept and adopted: they may have got it from a life of this
   * root that is lost, or from another root.
   */
  readonly keepsUnknown: boolean;
  /** A test shortens it. */
  readonly silenceMs?: number;
}

/**
 * Clusters of the original (root-api 8, 9): they register without a certificate, report everything every 15 s over HTTP,
 * and are called over HTTP. To the rest of the root they are members like those with a link.
 */
export interface LegacyClusters {
  /** Is this cluster one of them? */
  has(clusterId: string): boolean;
  /** Admits one from an allowed address; resolves to its id. `from`: address of the call. One call per name at a time. */
  register(registration: ClusterRegistration, from: string | undefined): Promise<string>;
  /** `POST /api/information/<cluster id>`. Throws `cluster-not-found`, `cluster-has-link`, `report-invalid`. */
  report(clusterId: string, body: { readonly [field: string]: unknown }): void;
  /** What its reports said beside its instances. */
  reported(clusterId: string): ClassicClusterFigures | undefined;
  lastSeenAtMs(clusterId: string): number | undefined;
  send(clusterId: string, command: TierCommand): boolean;
  /** The state was read again from the store: each begins a new session with its next report. */
  dropAll(): void;
  /** From now on reports reach this engine. */
  start(engine: LegacyEngine): void;
  stop(): void;
}

interface Presence {
  readonly peer: LegacyPeer;
  resources: ReportedResources | undefined;
  history: ClassicClusterFigures['history'];
  lastSeenAtMs: number;
  cancelTimer: () => void;
}

/** A cluster is there while its last report is younger (root-api 9.2). */
const SILENCE_MS = 30_000;
/** Entries (root-api 6.4). */
const LONGEST_HISTORY = 100;

export function createLegacyClusters(options: LegacyClustersOptions): LegacyClusters {
  const { book, registry, clock, logger } = options;
  const present = new Map<string, Presence>();
  let engine: LegacyEngine | undefined;

  const running = (): LegacyEngine => {
    if (engine !== undefined) return engine;
    throw new OakestraError('unavailable', 'root-starting', 'The root is starting. Try again in a moment.');
  };

  const known = (clusterId: string): RegisteredCluster => {
    const cluster = registry.byId(clusterId);
    if (cluster === undefined) {
      const message = `This root has no cluster ${clusterId}. Restart the cluster manager, so that it registers again.`;
      throw new OakestraError('not-found', 'cluster-not-found', message);
    }
    if (book.has(clusterId)) return cluster;
    throw new OakestraError(
      'forbidden',
      'cluster-has-link',
      `The cluster ${cluster.name} reports over its own link; nobody else speaks for it.`,
    );
  };

  const call = async (clusterId: string, wanted: ClusterCall): Promise<number> => {
    const cluster = known(clusterId);
    const path = `/api/service/${wanted.serviceId}/${wanted.number}`;
    if (wanted.kind === 'remove') return callOverHttp(cluster, { method: 'DELETE', path }, clock);
    const { serviceId, number, document } = wanted;
    const body = deploymentToWire({
      ...{ serviceId, number, document, clusterId, clusterLocation: cluster.location },
      nextInstanceNumber: running().service(serviceId)?.nextInstanceNumber ?? number + 1,
    });
    return callOverHttp(cluster, { method: 'POST', path, body }, clock);
  };

  const enrol = (clusterId: string): Presence => {
    const current = running();
    const peer = createLegacyPeer({
      ...{ id: clusterId, engine: current, logger },
      call: (wanted) => call(clusterId, wanted),
      isFamiliar: () => book.knownIncarnation(clusterId) === current.incarnation(),
      becameFamiliar() {
        book.familiar(clusterId, current.incarnation()).catch((error: unknown) => {
          logger.warn('it was not stored that all of a cluster is known', { cluster: clusterId, error });
        });
      },
    });
    const presence = {
      ...{ peer, resources: undefined, history: [], lastSeenAtMs: 0 },
      cancelTimer: () => {},
    };
    present.set(clusterId, presence);
    return presence;
  };

  const leave = ({ cancelTimer, peer }: Presence): void => {
    cancelTimer();
    peer.end();
  };

  const fellSilent = (clusterId: string, presence: Presence): void => {
    logger.warn('a cluster without link has not reported in time', { cluster: clusterId });
    leave(presence);
    running().clusterDown(clusterId, { kind: 'silent' });
  };

  return {
    has: book.has,

    async register(registration, from) {
      const address = admittedAddress(registration, from, options.isLegacyAddress);
      const before = registry.byName(registration.clusterName);
      if (before !== undefined && !book.has(before.id)) {
        throw new OakestraError(
          'forbidden',
          'registration-name',
          `The name "${before.name}" belongs to a cluster with a certificate. Choose another CLUSTER_NAME.`,
        );
      }
      const incarnation = options.keepsUnknown ? '' : running().incarnation();
      const isNew = before === undefined;
      const cluster = await registry.register(registration, address, (id) =>
        isNew ? [book.entry(id, incarnation)] : [],
      );
      if (isNew) book.entered(cluster.id, incarnation);
      logger.info('a cluster of the original registered', { cluster: cluster.name, id: cluster.id, address });
      return cluster.id;
    },

    report(clusterId, body) {
      const cluster = known(clusterId);
      const report = readClusterReport(body);
      for (const { id: job, reason } of report.unreadable) {
        logger.warn('a job in the report of a cluster was ignored', { cluster: cluster.name, job, reason });
      }
      const presence = present.get(clusterId) ?? enrol(clusterId);
      presence.lastSeenAtMs = clock.nowMs();
      presence.resources = report.resources ?? presence.resources;
      const { cpuPercent = null, memoryPercent = null } = report.resources ?? {};
      const sample = { atMs: presence.lastSeenAtMs, cpuPercent, memoryPercent };
      presence.history = [...presence.history, sample].slice(-LONGEST_HISTORY);
      presence.cancelTimer();
      presence.cancelTimer = clock.setTimer(options.silenceMs ?? SILENCE_MS, () =>
        fellSilent(clusterId, presence),
      );
      presence.peer.report(report);
    },

    reported(clusterId) {
      const presence = present.get(clusterId);
      if (presence?.resources === undefined) return undefined;
      return { ...presence.resources, history: presence.history };
    },
    lastSeenAtMs: (clusterId) => present.get(clusterId)?.lastSeenAtMs,
    send: (clusterId, command) => present.get(clusterId)?.peer.command(command) ?? false,

    dropAll() {
      for (const presence of present.values()) leave(presence);
    },

    start(given) {
      engine = given;
    },

    stop() {
      for (const { cancelTimer, peer } of present.values()) {
        cancelTimer();
        peer.end();
      }
    },
  };
}

/**
 * Where it is called: at the address that it comes from, or at the one that it names (Q43), and in both cases only within
 * the allowed ranges, so that nobody points the root at somebody else.
 */
function admittedAddress(
  { clusterName, advertisedAddress }: ClusterRegistration,
  from: string | undefined,
  isLegacyAddress: (address: string) => boolean,
): string {
  const address = advertisedAddress ?? from;
  if (from !== undefined && address !== undefined && isLegacyAddress(from) && isLegacyAddress(address)) {
    return address;
  }
  const stranger = from !== undefined && isLegacyAddress(from) ? address : from;
  throw new OakestraError(
    'unauthenticated',
    'registration-without-certificate',
    `"${clusterName}" registers without a certificate, which ${stranger ?? 'this caller'} may not. Join the ` +
      `cluster, or start the root with --allow-legacy <range> that covers the address.`,
  );
}
