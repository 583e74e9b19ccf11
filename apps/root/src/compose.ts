import { messageOf } from '@oakestra/contracts';
import {
  type Clock,
  composedPart,
  type Lifecycle,
  type Logger,
  lockStateDirectory,
  type Random,
  systemDisk,
  type Teardown,
  watchEventLoopLag,
} from '@oakestra/daemon';
import { probeStore, type SqliteStoreOptions } from '@oakestra/store';
import { openAddresses } from './addresses/index.ts';
import { apiFace, createIdempotencyKeys } from './api/index.ts';
import { type Applications, openApplications } from './applications/index.ts';
import { openAuditJournal } from './audit/index.ts';
import { openAuxiliaryPorts } from './auxiliary-ports.ts';
import { openRootCertificates } from './certificates.ts';
import { classicDocsFace, classicFace, classicRoutes, sendClassicError } from './classic/index.ts';
import { createClusterLinks, createClusterViews, openClusterRegistry } from './clusters/index.ts';
import { type Deployments, startDeployments } from './deployments/index.ts';
import { openEventJournal } from './events/index.ts';
import { openFleet } from './fleet/index.ts';
import { createDualServer, createHttpApp, plainHttpPolicy } from './http/index.ts';
import { openIdentity } from './identity/index.ts';
import { mailSettings, sensitive } from './mail-settings.ts';
import { openControlSocket } from './maintenance/index.ts';
import { createMetrics, operationsFace } from './operations/index.ts';
import { openRootStore } from './root-store.ts';
import { createCourier } from './sealed-objects/index.ts';
import { openSealing } from './sealing.ts';
import type { RootSettings } from './settings.ts';

export interface RootContext {
  /** Of the program, for people. */
  readonly version: string;
  readonly settings: RootSettings;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** For tests only: makes the disk of the store slow. */
  readonly storeFaults?: Pick<SqliteStoreOptions, 'syncDelayMs'>;
}

type Deployed = ReturnType<Deployments['services']>;

const LAG_CHECK_MS = 1000;
/** Requests under way get a second. */
const API_STOP_MS = 1200;

/** Adds the parts of a root orchestrator, in the order of their start. */
export function composeRoot({ lifecycle, ...context }: RootContext): void {
  const { logger, clock } = context;
  lifecycle.add('root', composedPart({ logger, clock, start: (teardown) => startRoot(context, teardown) }));
}

async function startRoot(context: Omit<RootContext, 'lifecycle'>, teardown: Teardown): Promise<void> {
  const { settings, logger, clock, random, storeFaults, version } = context;
  const { stateDirectory } = settings;
  const lock = await lockStateDirectory(stateDirectory);
  teardown.add('lock', () => lock.release());
  const { tls } = await openRootCertificates({
    stateDirectory,
    furtherNames: settings.certificateNames,
    clock,
    random,
    logger,
  });

  const store = await openRootStore({ settings, logger, clock, random, faults: storeFaults });
  teardown.add('store', () => store.close());

  const audit = await openAuditJournal({ store, clock, random, logger });
  teardown.add('audit', () => audit.settled());
  const identity = await openIdentity({
    store,
    audit,
    disk: systemDisk(),
    stateDir: stateDirectory,
    clock,
    random,
    logger,
    adminPassword: sensitive(settings.adminPassword),
    useLegacyAdminPassword: settings.legacyAdminPassword,
    jwtPrivateKey: sensitive(settings.jwtPrivateKey),
    jwtPublicKey: settings.jwtPublicKey,
    mail: mailSettings(settings),
  });
  teardown.add('mails', () => identity.stop());
  const registry = await openClusterRegistry(store, random);
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
  const fleet = await openFleet({ store, clock, logger, send: links.send });
  const events = await openEventJournal({ store, clock, logger });
  teardown.add('events', () => events.stop());
  let applications: Applications | undefined;
  let services: () => Deployed = () => [];
  const sealedObjects = await openSealing({
    settings,
    store,
    audit,
    identity,
    clock,
    random,
    logger,
    services: () => services(),
  });
  const deployments = await startDeployments({
    store,
    clock,
    random,
    logger,
    clusters: () => registry.all().map((cluster) => cluster.id),
    send: createCourier({ sealedObjects, send: links.send, logger }),
    documentFor: sealedObjects.pinned,
    dropLinks: links.dropAll,
    onEvent: events.add,
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
  teardown.add('cluster links', () => links.stop());
  const clusterPort = await links.listen(deployments, fleet);

  const http = createDualServer(tls, clock);
  const clusters = createClusterViews({ registry, deployments, fleet, lastSeenAtMs: links.lastSeenAtMs });
  const metrics = createMetrics({ deployments, clusters, store, version });
  const stopping = new AbortController();
  const parts = { identity, applications, deployments, sealedObjects, clusters, logger };
  const { allowLegacy, corsOrigins } = settings;
  // Old dashboards are served from another port than the one that they call.
  const cors = allowLegacy.length > 0 ? 'any' : corsOrigins;
  const app = createHttpApp({
    faces: [
      classicFace(parts),
      classicDocsFace(classicRoutes(parts)),
      apiFace({
        ...parts,
        ...{ audit, events, fleet, clock, version },
        idempotency: createIdempotencyKeys(store, clock),
        stopping: stopping.signal,
      }),
      operationsFace({
        metrics,
        identity,
        checks: [{ name: 'store', check: () => probeStore(store, clock.nowMs()) }],
      }),
    ],
    logger,
    // Most clients are of the old kind.
    refuse: sendClassicError,
    cors,
    serverFactory: http.serverFactory,
    plainHttpPolicy: plainHttpPolicy({ allowLegacy }),
    onAnswered: metrics.answered,
  });
  await app.ready();
  const apiPort = await http.listen({ host: settings.listen, port: settings.apiPort });
  await openAuxiliaryPorts({ ...parts, settings, tls, clock, cors }, teardown);
  const control = await openControlSocket({
    stateDirectory,
    commands: { backup: (path) => store.backupTo(path) },
    logger,
  });
  teardown.add('control socket', () => control.stop());
  const closeApi = (): Promise<void> => {
    stopping.abort();
    return http.close();
  };
  teardown.add('API', closeApi, API_STOP_MS);
  logger.info('root is ready', { apiPort, clusterPort });
}
