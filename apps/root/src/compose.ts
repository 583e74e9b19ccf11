import { join } from 'node:path';
import { messageOf, Sensitive, type TierCommand } from '@oakestra/contracts';
import {
  type Clock,
  type Lifecycle,
  type Logger,
  lockStateDirectory,
  type Random,
  systemDisk,
  watchEventLoopLag,
} from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import { type ApplicationsSchema, applicationsMigrations, openApplications } from './applications/index.ts';
import { openRootCertificates } from './certificates.ts';
import { createClassicFace, plainHttpPolicy } from './classic/index.ts';
import {
  type ClustersSchema,
  clustersMigrations,
  createClusterLinks,
  createClusterViews,
  openClusterRegistry,
} from './clusters/index.ts';
import { type DeploymentsSchema, deploymentsMigrations, startDeployments } from './deployments/index.ts';
import { createDualServer } from './http-server.ts';
import { type IdentitySchema, identityMigrations, openIdentity } from './identity/index.ts';
import type { RootSettings } from './settings.ts';

export interface RootContext {
  readonly settings: RootSettings;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

const LAG_CHECK_MS = 1000;

/** Adds the parts of a root orchestrator, in the order of their start. */
export function composeRoot({ settings, lifecycle, logger, clock, random }: RootContext): void {
  lifecycle.add('root', {
    async start() {
      const stops: (() => Promise<void> | void)[] = [];
      const stop = async (): Promise<void> => {
        for (const part of stops.reverse()) await part();
      };
      try {
        await start(stops);
      } catch (error) {
        await stop();
        throw error;
      }
      return stop;
    },
  });

  const start = async (stops: (() => Promise<void> | void)[]): Promise<void> => {
    const { stateDirectory } = settings;
    const lock = await lockStateDirectory(stateDirectory);
    stops.push(() => lock.release());
    const { tls } = await openRootCertificates({
      stateDirectory,
      furtherNames: settings.certificateNames,
      clock,
      random,
      logger,
    });

    const store = await openSqliteStore<
      ApplicationsSchema & ClustersSchema & DeploymentsSchema & IdentitySchema
    >({
      path: join(stateDirectory, 'root.db'),
      migrations: {
        ...applicationsMigrations,
        ...clustersMigrations,
        ...deploymentsMigrations,
        ...identityMigrations,
      },
      logger,
      clock,
      random,
    });
    stops.push(() => store.close());

    const identity = await openIdentity({
      store: store as unknown as Store<IdentitySchema>,
      disk: systemDisk(),
      stateDir: stateDirectory,
      clock,
      random,
      logger,
      adminPassword: settings.adminPassword === undefined ? undefined : new Sensitive(settings.adminPassword),
    });
    const registry = await openClusterRegistry(store as unknown as Store<ClustersSchema>, random);
    const links = createClusterLinks({
      host: settings.listen,
      port: settings.clusterPort,
      tls,
      registry,
      clock,
      random,
      logger,
      restartGraceMs: settings.restartGraceMs,
    });
    const deployments = await startDeployments({
      store: store as unknown as Store<DeploymentsSchema>,
      clock,
      random,
      logger,
      clusters: () => registry.all().map((cluster) => cluster.id),
      send: (clusterId: string, command: TierCommand) => links.send(clusterId, command),
      dropLinks: links.dropAll,
      onAdopted: (service) => {
        applications.adoptFromBelow(service).catch((error: unknown) => {
          logger.error('the application of an adopted service was not stored', { reason: messageOf(error) });
        });
      },
    });
    stops.push(() => deployments.stop());
    const applications = await openApplications({
      store: store as unknown as Store<ApplicationsSchema>,
      deployments,
      identity,
      clock,
      random,
      logger,
    });

    const watch = watchEventLoopLag({ clock, intervalMs: LAG_CHECK_MS, onLag: deployments.selfLate });
    stops.push(() => watch.stop());
    await links.listen(deployments);
    stops.push(() => links.stop());

    const http = createDualServer(tls, clock);
    const face = createClassicFace({
      identity,
      applications,
      deployments,
      clusters: createClusterViews(registry, deployments, links.lastSeenAtMs),
      logger,
      serverFactory: http.serverFactory,
      plainHttpPolicy: plainHttpPolicy({ allowLegacy: settings.allowLegacy }),
    });
    await face.ready();
    await http.listen({ host: settings.listen, port: settings.apiPort });
    stops.push(() => http.close());
    logger.info('root is ready', { apiPort: settings.apiPort, clusterPort: settings.clusterPort });
  };
}
