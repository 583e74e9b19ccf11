import {
  type Clock,
  composedPart,
  type Lifecycle,
  type Logger,
  lockStateDirectory,
  type Random,
  systemDisk,
  type Teardown,
} from '@oakestra/daemon';
import { probeStore, type SqliteStoreOptions } from '@oakestra/store';
import { apiFace, createIdempotencyKeys } from './api/index.ts';
import { openAuditJournal } from './audit/index.ts';
import { openAuxiliaryPorts } from './auxiliary-ports.ts';
import { openRootCertificates } from './certificates.ts';
import { classicDocsFace, classicFace, classicRoutes, sendClassicError } from './classic/index.ts';
import { addressMatcher, createDualServer, createHttpApp, plainHttpPolicy } from './http/index.ts';
import { openIdentity } from './identity/index.ts';
import { whileLeading } from './leadership/index.ts';
import { mailSettings, sensitive } from './mail-settings.ts';
import { openControlSocket } from './maintenance/index.ts';
import { openLeadership, requireLeader } from './open-leadership.ts';
import { createMetrics, operationsFace } from './operations/index.ts';
import { openRootStore } from './root-store.ts';
import { openSealer } from './sealing.ts';
import type { RootSettings } from './settings.ts';
import type { RootTerm } from './term.ts';

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
  const { tls, isNew } = await openRootCertificates({
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
    sealer: store.capabilities.sharedByProcesses ? await openSealer(settings) : undefined,
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
  const { leadership, peers, join } = await openLeadership(
    { settings, store, audit, identity, tls, isNewInstallation: isNew, clock, random, logger },
    teardown,
  );
  const ofTerm = <Name extends keyof RootTerm>(name: Name) =>
    whileLeading(() => leadership.term()?.[name] as (RootTerm[Name] & object) | undefined);
  const parts = {
    identity,
    applications: ofTerm('applications'),
    deployments: ofTerm('deployments'),
    sealedObjects: ofTerm('sealedObjects'),
    clusters: ofTerm('clusters'),
    logger,
    legacyClusters: ofTerm('legacyClusters'),
    isLegacyAddress: addressMatcher(settings.allowLegacy),
  };

  const http = createDualServer(tls, clock, {
    // Where only this port is open, clusters come in here.
    onGrpc(socket) {
      if (peers !== undefined) peers.clusters.take(socket);
      else if (leadership.term() === undefined) socket.destroy();
      else leadership.term()?.takeCluster(socket);
    },
  });
  const metrics = createMetrics({
    deployments: { services: () => leadership.term()?.deployments.services() ?? [] },
    clusters: { all: () => leadership.term()?.clusters.all() ?? [] },
    leads: () => leadership.term() !== undefined,
    store,
    version,
  });
  const stopping = new AbortController();
  const { allowLegacy, corsOrigins } = settings;
  // Old dashboards are served from another port than the one that they call.
  const cors = allowLegacy.length > 0 ? 'any' : corsOrigins;
  const app = createHttpApp({
    faces: [
      classicFace(parts),
      classicDocsFace(classicRoutes(parts)),
      apiFace({
        ...parts,
        ...{ audit, events: ofTerm('events'), fleet: ofTerm('fleet'), clock, version },
        idempotency: createIdempotencyKeys(store, clock),
        stopping: stopping.signal,
      }),
      operationsFace({
        metrics,
        identity,
        checks: [
          { name: 'store', check: () => probeStore(store, clock.nowMs()) },
          { name: 'leader', check: async () => requireLeader(leadership) },
        ],
      }),
    ],
    logger,
    // Most clients are of the old kind.
    refuse: sendClassicError,
    cors,
    serverFactory: http.serverFactory,
    plainHttpPolicy: plainHttpPolicy({ allowLegacy }),
    onAnswered: metrics.answered,
    beforeHandlers: peers?.before('api'),
  });
  await app.ready();
  peers?.open('api', http.answer);
  await openAuxiliaryPorts({ ...parts, settings, tls, clock, cors, peers }, teardown);
  await join();
  const apiPort = await http.listen({ host: settings.listen, port: settings.apiPort });
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
  if (peers !== undefined) teardown.add('door for roots', () => peers.close(), API_STOP_MS);
  teardown.add('API', closeApi, API_STOP_MS);
  const clusterPort = peers?.clusterPort ?? leadership.term()?.clusterPort;
  logger.info('root is ready', { apiPort, clusterPort, leads: leadership.term() !== undefined });
}
