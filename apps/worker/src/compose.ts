import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lockStateDirectory, randomHex, systemDisk } from '@oakestra/daemon';
import { readTlsIdentity } from '@oakestra/pki';
import { startLogRotation } from '@oakestra/runtimes';
import type { WorkerContext } from './context.ts';
import { createDownlink, type Downlink } from './downlink/index.ts';
import { createHostReport } from './host-report.ts';
import { createUsageSampler, type InstanceEngine, startInstances } from './instances/index.ts';
import { openJournal } from './journal/index.ts';
import { openRuntime } from './open-runtime.ts';
import { createLocalNetwork, readInstanceResolvConf } from './overlay/index.ts';

/** Adds the parts of a worker, in the order of their start. */
export function composeWorker(context: WorkerContext): void {
  const { settings, lifecycle, logger, clock, random } = context;
  lifecycle.add('worker', {
    async start(signal) {
      const stops: (() => Promise<void> | void)[] = [];
      const stop = async (): Promise<void> => {
        for (const part of stops.reverse()) await part();
      };
      try {
        await start(stops, signal);
      } catch (error) {
        await stop();
        throw error;
      }
      return stop;
    },
  });

  const start = async (stops: (() => Promise<void> | void)[], signal: AbortSignal): Promise<void> => {
    const { stateDirectory } = settings;
    const lock = await lockStateDirectory(stateDirectory);
    stops.push(() => lock.release());
    const tlsDirectory = settings.tlsDirectory ?? join(stateDirectory, 'tls');
    const tls = await readTlsIdentity({
      caPath: join(tlsDirectory, 'ca.pem'),
      certificatePath: join(tlsDirectory, 'cert.pem'),
      keyPath: join(tlsDirectory, 'key.pem'),
    });
    const logDirectory = join(stateDirectory, 'logs');
    const fileDirectory = join(stateDirectory, 'files');
    for (const directory of [logDirectory, fileDirectory]) {
      await mkdir(directory, { recursive: true, mode: 0o711 });
    }
    const resolvConfPath = join(fileDirectory, 'resolv.conf');
    await writeFile(resolvConfPath, await readInstanceResolvConf());

    const journal = await openJournal({
      disk: systemDisk(),
      path: join(stateDirectory, 'journal'),
      logger,
      newIncarnation: () => randomHex(random, 16),
    });
    stops.push(() => journal.close());
    const boot = journal.content.boots + 1;
    await new Promise<void>((resolve, reject) => {
      const lines = [
        { kind: 'meta' as const, meta: journal.content.meta },
        { kind: 'boot' as const, boots: boot },
      ];
      journal.append(lines, (error) => (error === undefined ? resolve() : reject(error)));
    });

    const network = createLocalNetwork({
      clock,
      logger,
      subnet: settings.subnet,
      bridgeName: settings.bridgeName,
      namePrefix: settings.networkPrefix,
    });
    stops.push(() => network.close());
    const { runtime, close } = await openRuntime(context);
    stops.push(close);

    const host = await createHostReport({
      name: settings.name,
      clusterAddress: settings.clusterAddress,
      virtualization: [runtime.name],
      bridgeName: settings.bridgeName,
      clock,
      intervalMs: settings.usageIntervalMs,
      workerId: () => journal.content.workerId,
      report: (facts) => downlink.send(facts),
    });
    stops.push(() => host.stop());

    let engine: InstanceEngine | undefined;
    const sampler = createUsageSampler({
      runtime,
      clock,
      vcpus: (await host.registration()).vcpus as number,
      intervalMs: settings.usageIntervalMs,
      running: () => engine?.running() ?? [],
      report: (usage) => downlink.send(usage),
    });
    stops.push(() => sampler.stop());

    const downlink: Downlink = createDownlink({
      host: settings.clusterAddress,
      apiPort: settings.clusterApiPort,
      tls,
      clock,
      random,
      logger,
      keepaliveSeconds: Math.max(1, Math.round(settings.keepaliveMs / 1000)),
      restartGraceMs: settings.restartGraceMs,
      registration: host.registration,
      greeting: () => started().greeting(),
      onRegistered(workerId) {
        if (journal.content.workerId === workerId) return;
        journal.append([{ kind: 'worker', workerId }], (error) => {
          if (error !== undefined) context.onFatal(error);
        });
      },
      onUp() {
        host.tell();
        sampler.forgetTold();
        started().sessionUp();
        sampler.soon();
      },
      onDown: () => started().sessionDown(),
      onCommand: (command) => started().command(command),
      onContact: (sentAtMs) => started().contact(sentAtMs),
    });
    const started = (): InstanceEngine => {
      if (engine === undefined) throw new Error('the instances have not been adopted yet');
      return engine;
    };

    engine = await startInstances({
      journal,
      runtime,
      network,
      clock,
      random,
      logger,
      boot,
      logDirectory,
      fileDirectory,
      resolvConfPath,
      address: host.address,
      send: downlink.send,
      onStarted: sampler.soon,
      onJournalFailed: context.onFatal,
      signal,
    });
    stops.push(() => engine?.stop());
    const rotation = startLogRotation({
      paths: () =>
        started()
          .running()
          .map(({ logPath }) => logPath),
      clock,
      logger,
      limits: { maxBytes: settings.logMaxSizeBytes, files: 3 },
    });
    stops.push(() => rotation.stop());
    host.start();
    sampler.start();
    downlink.start();
    stops.push(() => downlink.stop());
    logger.info('worker is ready', { name: settings.name, instances: engine.running().length });
  };
}
