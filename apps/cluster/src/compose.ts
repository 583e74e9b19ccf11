import { join } from 'node:path';
import {
  type Clock,
  type Lifecycle,
  type Logger,
  lockStateDirectory,
  type Random,
  systemDisk,
  watchEventLoopLag,
} from '@oakestra/daemon';
import { createSealer, openSealingKeys, readTlsIdentity, type Sealer } from '@oakestra/pki';
import { openSqliteStore, type Store } from '@oakestra/store';
import { createClusterApi } from './api/index.ts';
import { createEmbeddedBroker } from './broker/index.ts';
import { createFleetEnd } from './fleet.ts';
import {
  type InstanceEngine,
  type InstancesSchema,
  instancesMigrations,
  startInstances,
} from './instances/index.ts';
import type { ClusterSettings } from './settings.ts';
import { createUplink, openRootProxy } from './uplink/index.ts';
import { type ValuesSchema, valuesMigrations } from './values/index.ts';
import {
  createWorkerSessions,
  openWorkerLabels,
  openWorkerRegistry,
  type WorkersSchema,
  workersMigrations,
} from './workers/index.ts';

export interface ClusterContext {
  readonly settings: ClusterSettings;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

const LAG_CHECK_MS = 1000;

/** Adds the parts of a cluster orchestrator, in the order of their start. */
export function composeCluster({ settings, lifecycle, logger, clock, random }: ClusterContext): void {
  lifecycle.add('cluster', {
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
    const lock = await lockStateDirectory(settings.stateDirectory);
    stops.push(() => lock.release());
    const tlsDirectory = settings.tlsDirectory ?? join(settings.stateDirectory, 'tls');
    const tls = await readTlsIdentity({
      caPath: join(tlsDirectory, 'ca.pem'),
      certificatePath: join(tlsDirectory, 'cert.pem'),
      keyPath: join(tlsDirectory, 'key.pem'),
    });

    const store: Store<InstancesSchema & ValuesSchema & WorkersSchema> = await openSqliteStore({
      path: join(settings.stateDirectory, 'cluster.db'),
      migrations: { ...instancesMigrations, ...valuesMigrations, ...workersMigrations },
      logger,
      clock,
      random,
    });
    stops.push(() => store.close());
    const registry = await openWorkerRegistry(store as unknown as Store<WorkersSchema>, random);
    const labels = await openWorkerLabels(store as unknown as Store<WorkersSchema>, registry);

    let engine: InstanceEngine | undefined;
    const running = (): InstanceEngine => {
      if (engine === undefined) throw new Error('the instance engine has not started');
      return engine;
    };
    const broker = createEmbeddedBroker({
      host: settings.listen,
      port: settings.mqttPort,
      tls,
      workers: registry,
      logger,
    });
    const sessions = createWorkerSessions({
      broker,
      engine: running,
      clock,
      logger,
      onUsage: (usage) => uplink.send(usage),
      onFacts: (facts) => uplink.send(facts),
      labels: settings.labels,
      labelsOf: labels.effective,
      onWorker: (workerId) => fleet.touch(workerId),
    });
    const fleet = createFleetEnd({
      registry,
      labels,
      engine: running,
      sessions: () => sessions,
      send: (report) => uplink.send(report),
      clock,
      logger,
    });
    if (settings.rootProxy !== undefined) {
      const { rootProxy, rootProxyCaFile: caFile } = settings;
      const { url, close } = await openRootProxy({ url: rootProxy, caFile, logger });
      stops.push(close);
      // The library knows no other way to be told.
      process.env.grpc_proxy = url;
    }
    const uplink = createUplink({
      endpoints: settings.root,
      throughProxy: settings.rootProxy !== undefined,
      tls,
      clusterName: settings.name,
      clusterLocation: settings.location,
      apiPort: settings.apiPort,
      advertisedAddress: settings.advertise,
      clock,
      random,
      logger,
      restartGraceMs: settings.restartGraceMs,
      facts: sessions.facts,
      fleet,
    });
    engine = await startInstances({
      store: store as unknown as Store<InstancesSchema & ValuesSchema>,
      sealer: openSealerOnce(join(settings.stateDirectory, 'value-keys')),
      clock,
      random,
      logger,
      clusterName: settings.name,
      workerName: (id) => registry.byId(id)?.name ?? id,
      workers: registry.all().map((worker) => worker.id),
      sendToWorker: sessions.send,
      sendToRoot: uplink.send,
      dropSessions() {
        broker.drop();
        uplink.drop();
      },
    });
    const started = engine;
    stops.push(() => started.stop());

    const watch = watchEventLoopLag({
      clock,
      intervalMs: LAG_CHECK_MS,
      onLag: (lagMs) => started.selfLate(lagMs),
    });
    stops.push(() => watch.stop());

    stops.push(() => {
      sessions.stop();
      return broker.close();
    });
    await broker.listen(sessions.events);

    const api = createClusterApi({
      tls,
      registry,
      mqttPort: settings.mqttPort,
      clusterName: settings.name,
      clusterId: uplink.clusterId,
      isConnectedToRoot: uplink.isConnected,
      connectedWorkers: broker.connectedWorkers,
      logger,
    });
    stops.push(() => api.close());
    await api.listen({ host: settings.listen, port: settings.apiPort });

    stops.push(() => uplink.stop());
    uplink.start(started);
    logger.info('cluster is ready', {
      name: settings.name,
      apiPort: settings.apiPort,
      mqttPort: settings.mqttPort,
    });
  };
}

/** The key is made when it is needed first: most clusters never see a value. */
function openSealerOnce(path: string): () => Promise<Sealer> {
  let opening: Promise<Sealer> | undefined;
  return () => {
    opening ??= openSealingKeys(systemDisk(), path)
      .then(createSealer)
      .catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
    return opening;
  };
}
