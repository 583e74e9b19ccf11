import {
  type Greeting,
  messageOf,
  parseInstanceKey,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';
import { type Clock, type Logger, type Random, retry } from '@oakestra/daemon';
import { createPump, type Pump } from '@oakestra/ownership';
import type { Runtime, RuntimeEvent, RuntimeInstance } from '@oakestra/runtimes';
import type { Journal, JournalLine } from '../journal/index.ts';
import type { LocalNetwork } from '../overlay/index.ts';
import { createWorkerCore, type FoundInstance, type WorkerCore, type WorkerEffects } from './core.ts';
import { createExecutor, type Executor, type ExecutorOptions } from './executor.ts';
import { describeExit, portsOf, readLabels, runtimeIdOf } from './spec.ts';
import { removeStrayFiles } from './stray-files.ts';

export interface InstanceEngineOptions
  extends Pick<ExecutorOptions, 'logDirectory' | 'fileDirectory' | 'resolvConfPath'> {
  readonly journal: Journal;
  readonly runtime: Runtime;
  readonly network: LocalNetwork;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly boot: number;
  readonly address: () => string;
  readonly send: (report: TierReport) => void;
  readonly onStarted: () => void;
  /** The journal cannot be written: this process must end and start again from what the disk has. */
  readonly onJournalFailed: (error: Error) => void;
  readonly signal: AbortSignal;
}

export interface RunningInstance {
  readonly key: string;
  readonly runtimeId: string;
  readonly logPath: string;
}

/** The running form of the worker's core. */
export interface InstanceEngine {
  command(command: TierCommand): void;
  sessionUp(): void;
  sessionDown(): void;
  contact(sentAtMs: number): void;
  greeting(): Greeting;
  running(): readonly RunningInstance[];
  stop(): Promise<void>;
}

/** Adopts what runs already, then starts what should run. Waits for the runtime as long as it takes. */
export async function startInstances(options: InstanceEngineOptions): Promise<InstanceEngine> {
  const { journal, runtime, network, clock, logger } = options;
  const core = createWorkerCore({
    meta: journal.content.meta,
    entries: [...journal.content.entries.values()],
    boot: options.boot,
    nowMs: clock.monotonicMs,
    wallMs: clock.nowMs,
    address: options.address,
  });
  const executor: Executor = createExecutor({
    runtime,
    network,
    logger,
    logDirectory: options.logDirectory,
    fileDirectory: options.fileDirectory,
    resolvConfPath: options.resolvConfPath,
    onFinished(key, attempt, result) {
      if (result.kind === 'started') options.onStarted();
      pump.run(() => core.finished(key, attempt, result));
      // It was only to be cleared, and is not wanted any more since.
      const isUnwanted = journal.content.entries.get(key)?.wanted === 'removed';
      if (result.kind === 'removed' && isUnwanted) executor.discard(key);
    },
    onProgress: (key, attempt, detail) => pump.run(() => core.progress(key, attempt, detail)),
    onImagePinned: (key, attempt, reference) => pump.run(() => core.imagePinned(key, attempt, reference)),
  });
  const pump: Pump = createPump<WorkerEffects>({
    core,
    nowMs: clock.monotonicMs,
    setTimer: clock.setTimer,
    durabilityOf: (effects) => (effects.writes.size > 0 || effects.meta !== undefined ? 'full' : 'none'),
    commit: (effects, done) => journal.append(linesOf(effects), done),
    deliver(effects) {
      for (const report of effects.sends) options.send(report);
      for (const [key, entry] of effects.writes) {
        // Its container went when it ended by itself; only its output was kept.
        if (entry?.wanted === 'removed' && core.activityOf(key) === 'absent') executor.discard(key);
      }
      for (const action of effects.actions) executor.execute(action);
    },
    onCommitFailed: options.onJournalFailed,
  });

  const exited = (event: Extract<RuntimeEvent, { kind: 'exited' }>): void => {
    const key = executor.keyOf(event.id);
    const entry = key === undefined ? undefined : journal.content.entries.get(key);
    if (key === undefined || entry === undefined) return;
    const detail = describeExit(event.exit, entry.document);
    logger.info('an instance ended', { instance: event.id, detail });
    pump.run(() => core.exited(key, { code: event.exit.code, detail }));
  };

  /** After the runtime was away: events may have been missed. */
  const compare = async (): Promise<void> => {
    const present = new Map((await runtime.list()).map((instance) => [instance.id, instance]));
    for (const { key, runtimeId } of running(core, executor)) {
      const instance = present.get(runtimeId);
      if (instance?.state.kind === 'exited')
        exited({ kind: 'exited', id: runtimeId, exit: instance.state.exit });
      else if (instance?.state.kind !== 'running') {
        pump.run(() => core.exited(key, { code: 255, detail: 'The container is gone from the runtime' }));
      }
    }
  };

  const found = await adopt(options, core, executor);
  const unsubscribe = runtime.subscribe((event) => {
    switch (event.kind) {
      case 'exited':
        exited(event);
        break;
      case 'available':
        compare().catch((error: unknown) => {
          logger.warn('the runtime could not be compared', { reason: messageOf(error) });
        });
        break;
      case 'unavailable':
        logger.warn('the runtime does not answer; instances keep running', { reason: event.reason });
        break;
    }
  });
  pump.run(() => core.recover(found));
  // Between the listing and the subscription something may have ended.
  await compare().catch(() => undefined);
  logger.info('instances adopted', { instances: found.length });

  return {
    command: (command) => pump.run(() => core.command(command)),
    sessionUp: () => pump.run(() => core.sessionUp()),
    sessionDown: () => pump.run(() => core.sessionDown()),
    contact: (sentAtMs) => pump.run(() => core.contact(sentAtMs)),
    greeting: () => core.greeting(options.boot),
    running: () => running(core, executor),
    async stop() {
      unsubscribe();
      await executor.stop();
      pump.stop();
    },
  };
}

function running(core: WorkerCore, executor: Executor): RunningInstance[] {
  const list: RunningInstance[] = [];
  for (const entry of core.entries()) {
    if (core.activityOf(entry.key) !== 'running') continue;
    const runtimeId = runtimeIdOf(entry);
    list.push({ key: entry.key, runtimeId, logPath: executor.logPathOf(runtimeId) });
  }
  return list;
}

function linesOf(effects: WorkerEffects): JournalLine[] {
  const lines: JournalLine[] = [];
  if (effects.meta !== undefined) lines.push({ kind: 'meta', meta: effects.meta });
  for (const [key, entry] of effects.writes) {
    lines.push(entry === null ? { kind: 'gone', key } : { kind: 'entry', entry });
  }
  return lines;
}

async function adopt(
  options: InstanceEngineOptions,
  core: WorkerCore,
  executor: Executor,
): Promise<FoundInstance[]> {
  const { runtime, network, clock, random, logger, signal } = options;
  const list = await retry(() => runtime.list(), {
    clock,
    random,
    signal,
    baseMs: 200,
    capMs: 5000,
    onRetry: ({ error, attempt }) => {
      if (attempt === 1) logger.error('waiting for the container runtime', { reason: messageOf(error) });
    },
  });
  const found: FoundInstance[] = [];
  const known = new Set<string>(list.map(({ id }) => id));
  for (const instance of list) {
    const labelled = readLabels(instance.labels);
    if (labelled === undefined) {
      logger.warn('a container that is not ours is left alone', { id: instance.id });
      continue;
    }
    executor.remember(labelled, instance.id);
    found.push({ ...labelled, ...stateOf(instance, labelled.document) });
  }
  // What the journal knows may be half there after a crash: clear it before it is started again.
  for (const entry of core.entries()) {
    if (entry.wanted !== 'running') continue;
    executor.remember(entry, runtimeIdOf(entry));
    known.add(runtimeIdOf(entry));
  }
  const { logDirectory, fileDirectory } = options;
  await removeStrayFiles({ logDirectory, fileDirectory, known }).catch((error: unknown) => {
    logger.warn('files of earlier instances stay', { reason: messageOf(error) });
  });
  const documents = new Map(found.map((instance) => [instance.key, instance.document]));
  for (const entry of core.entries())
    if (entry.wanted === 'running') documents.set(entry.key, entry.document);
  await network.reconcile(
    Array.from(documents, ([key, document]) => ({
      instanceId: `${document.job_name}.instance.${parseInstanceKey(key).number}`,
      ports: portsOf(document),
    })),
  );
  return found;
}

function stateOf(
  instance: RuntimeInstance,
  document: FoundInstance['document'],
): Pick<FoundInstance, 'isRunning' | 'exit'> {
  if (instance.state.kind === 'running') return { isRunning: true };
  if (instance.state.kind === 'created') return { isRunning: false };
  const { exit } = instance.state;
  return { isRunning: false, exit: { code: exit.code, detail: describeExit(exit, document) } };
}
