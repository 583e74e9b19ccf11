import type { Socket } from 'node:net';
import { messageOf, sealedReferencesOf } from '@oakestra/contracts';
import { type Clock, composedPart, type Logger, type Random, watchEventLoopLag } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import { openAddresses } from './addresses/index.ts';
import { type Applications, openApplications } from './applications/index.ts';
import type { AuditWriter } from './audit/index.ts';
import {
  type Clusters,
  createClusterLinks,
  createClusterViews,
  openClusterRegistry,
} from './clusters/index.ts';
import { type DeploymentEngine, startDeployments } from './deployments/index.ts';
import { createEventSharing, type EventJournal, openEventJournal } from './events/index.ts';
import { type Fleet, openFleet } from './fleet/index.ts';
import { addressMatcher } from './http/index.ts';
import type { Identity } from './identity/index.ts';
import type { Term } from './leadership/index.ts';
import {
  createLegacyClusters,
  isSuccessor,
  type LegacyClusters,
  openLegacyBook,
} from './legacy-clusters/index.ts';
import type { Peers } from './peers/index.ts';
import type { RootStore } from './root-store.ts';
import { createCourier, type SealedObjects } from './sealed-objects/index.ts';
import { openSealing } from './sealing.ts';
import type { RootSettings } from './settings.ts';

/** What a root has that decides: everything that is kept in memory, and the links to the clusters. */
export interface RootTerm extends Term {
  readonly deployments: DeploymentEngine;
  readonly applications: Applications;
  readonly clusters: Clusters;
  readonly legacyClusters: LegacyClusters;
  readonly fleet: Fleet;
  readonly sealedObjects: SealedObjects;
  readonly events: EventJournal;
  readonly clusterPort: number;
  /** Serves a cluster's connection that came in at another port. */
  takeCluster(socket: Socket): void;
}

export interface TermOptions {
  readonly settings: RootSettings;
  /** Of this term: refuses changes once another root leads. */
  readonly store: RootStore;
  readonly audit: AuditWriter;
  readonly identity: Identity;
  readonly tls: TlsIdentity;
  /** This start made the authority. */
  readonly isNewInstallation: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where this root is one of several. */
  readonly peers: Peers | undefined;
}

const LAG_CHECK_MS = 1000;

/** Reads everything from the store and takes over. Rejects when a part does not start; nothing is left then. */
export async function openTerm(options: TermOptions): Promise<RootTerm> {
  const { settings, store, audit, identity, tls, clock, random, logger, peers } = options;
  let term: Omit<RootTerm, 'stop'> | undefined;
  const part = composedPart({
    logger,
    clock,
    async start(teardown) {
      const registry = await openClusterRegistry(store, random);
      let loseConnections = (): void => {};
      const isLegacyAddress = addressMatcher(settings.allowLegacy);
      const legacyClusters = createLegacyClusters({
        book: await openLegacyBook(store),
        ...{ registry, clock, logger, isLegacyAddress },
        keepsUnknown: (await isSuccessor(store, options.isNewInstallation)) || settings.adoptLegacy,
      });
      teardown.add('legacy clusters', () => legacyClusters.stop());
      const links = createClusterLinks({
        host: settings.listen,
        port: settings.clusterPort,
        ...{ tls, registry, clock, random, logger },
        restartGraceMs: settings.restartGraceMs,
        ...{ isLegacyAddress, legacy: legacyClusters, originOf: peers?.clusters.originOf },
        connections:
          peers &&
          (async (take) => {
            loseConnections = peers.clusters.lead(take);
            return peers.clusterPort;
          }),
      });
      let labelsChanged = (): void => {};
      const fleet = await openFleet({
        ...{ store, clock, logger, send: links.send },
        onClusterLabels: () => labelsChanged(),
      });
      const events = await openEventJournal({ store, clock, logger });
      let applications: Applications | undefined;
      let applicationOf = (_serviceId: string): string => '';
      const shared = createEventSharing({
        journal: events,
        organisationOf: async (serviceId) => applications?.organisationOf(applicationOf(serviceId)),
      });
      teardown.add('events', async () => {
        await shared.settled();
        await events.stop();
      });
      let services: DeploymentEngine['services'] = () => [];
      const sealedObjects = await openSealing({
        ...{ settings, store, audit, identity, clock, random, logger },
        services: () => services(),
      });
      const courier = createCourier({ sealedObjects, send: links.send, logger });
      const deployments = await startDeployments({
        store,
        clock,
        random,
        logger,
        labelsOf: (clusterId) => fleet.clusterLabels(clusterId).labels,
        clusters: () => registry.all().map((cluster) => cluster.id),
        // Values never go to clusters of the original.
        send: (clusterId, command) =>
          legacyClusters.has(clusterId)
            ? legacyClusters.send(clusterId, command)
            : courier(clusterId, command),
        documentFor: sealedObjects.pinned,
        hasValues: (document) =>
          sealedReferencesOf(document).every((one) => sealedObjects.newestVersion(one) !== undefined),
        dropLinks() {
          links.dropAll();
          legacyClusters.dropAll();
        },
        onEvent: shared.add,
        onAdopted(service) {
          // Before they are open there is nothing to do: they look for such services themselves when they open.
          applications?.adoptFromBelow(service).catch((error: unknown) => {
            logger.error('the application of an adopted service was not stored; the next start tries again', {
              service: service.id,
              reason: messageOf(error),
            });
          });
        },
      });
      services = deployments.services;
      applicationOf = (id) => deployments.service(id)?.document.applicationID ?? '';
      labelsChanged = deployments.clusterLabelsChanged;
      teardown.add('deployments', () => deployments.stop());
      applications = await openApplications({
        addresses: await openAddresses({ store, clock, logger }),
        store,
        deployments,
        sealedObjects,
        identity,
        clock,
        random,
        logger,
      });
      const watch = watchEventLoopLag({ clock, intervalMs: LAG_CHECK_MS, onLag: deployments.selfLate });
      teardown.add('event loop watch', () => watch.stop());
      teardown.add('cluster connections', () => loseConnections());
      teardown.add('cluster links', () => links.stop());
      legacyClusters.start(deployments);
      const clusterPort = await links.listen(deployments, fleet);
      const lastSeenAtMs = (clusterId: string) =>
        links.lastSeenAtMs(clusterId) ?? legacyClusters.lastSeenAtMs(clusterId);
      const clusters = createClusterViews({
        ...{ registry, deployments, fleet, lastSeenAtMs, reported: legacyClusters.reported },
        send: links.send,
      });
      const halt = (): void => {
        deployments.stop();
        legacyClusters.stop();
        loseConnections();
      };
      term = {
        ...{ deployments, applications, clusters, legacyClusters, fleet, sealedObjects, events },
        ...{ clusterPort, takeCluster: links.take, halt },
      };
    },
  });
  const stop = await part.start(new AbortController().signal);
  if (term === undefined) throw new Error('the term has no parts');
  return { ...term, stop: async () => stop?.(new AbortController().signal) };
}
