import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { composedPart, lockStateDirectory, randomHex, systemDisk, type Teardown } from '@oakestra/daemon';
import { createSealer, openSealingKeys, readTlsIdentity } from '@oakestra/pki';
import { startLogRotation } from '@oakestra/runtimes';
import type { WorkerContext } from './context.ts';
import { createDownlink, type Downlink } from './downlink/index.ts';
import { createHostReport } from './host-report.ts';
import { createUsageSampler, type InstanceEngine, startInstances } from './instances/index.ts';
import { openJournal } from './journal/index.ts';
import { openRuntime } from './open-runtime.ts';
import { createLocalNetwork, readInstanceResolvConf } from './overlay/index.ts';
import { valueFolderOf } from './settings.ts';
import { createShownValues, ensureMemoryFolder, openValueFiles } from './values/index.ts';

/** Telling the cluster takes a second where it does not answer. */
const DOWNLINK_STOP_MS = 1300;

/** Adds the parts of a worker, in the order of their start. */
export function composeWorker(context: WorkerContext): void {
  const { lifecycle, logger, clock } = context;
  lifecycle.add(
    'worker',
    composedPart({ logger, clock, start: (teardown, signal) => startWorker(context, teardown, signal) }),
  );
}

async function startWorker(context: WorkerContext, teardown: Teardown, signal: AbortSignal): Promise<void> {
  const { settings, logger, clock, random } = context;
  const { stateDirectory } = settings;
  const lock = await lockStateDirectory(stateDirectory);
  teardown.add('lock', () => lock.release());
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
  teardown.add('journal', () => journal.close());
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
  teardown.add('network watch', () => network.close());
  const { runtime, close } = await openRuntime(context);
  teardown.add('runtime', close);

  const host = await createHostReport({
    name: settings.name,
    clusterAddress: settings.clusterAddress,
    virtualization: [runtime.name],
    bridgeName: settings.bridgeName,
    labels: settings.labels,
    clock,
    logger,
    intervalMs: settings.usageIntervalMs,
    workerId: () => journal.content.workerId,
    report: (facts) => downlink.send(facts),
  });
  teardown.add('host report', () => host.stop());

  let engine: InstanceEngine | undefined;
  const sampler = createUsageSampler({
    runtime,
    clock,
    logger,
    vcpus: host.vcpus,
    intervalMs: settings.usageIntervalMs,
    running: () => engine?.running() ?? [],
    report: (usage) => downlink.send(usage),
  });
  teardown.add('usage', () => sampler.stop());

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

  const valueFiles = await openValueFiles({
    disk: systemDisk(),
    directory: join(stateDirectory, 'values'),
    openSealer: async (keyFile) => createSealer(await openSealingKeys(systemDisk(), keyFile)),
  });
  engine = await startInstances({
    valueFiles,
    shownValues: createShownValues({
      values: valueFiles,
      directory: valueFolderOf(settings),
      ensureDirectory: ensureMemoryFolder,
    }),
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
  teardown.add('instances', () => engine?.stop());
  const rotation = startLogRotation({
    paths: () =>
      started()
        .running()
        .map(({ logPath }) => logPath),
    clock,
    logger,
    limits: { maxBytes: settings.logMaxSizeBytes, files: 3 },
  });
  teardown.add('log rotation', () => rotation.stop());
  host.start();
  sampler.start();
  downlink.start();
  teardown.add('downlink', () => downlink.stop(), DOWNLINK_STOP_MS);
  logger.info('worker is ready', { name: settings.name, instances: engine.running().length });
}
