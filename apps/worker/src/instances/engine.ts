import {
  type Greeting,
  messageOf,
  parseInstanceKey,
  type TierCommand,
  type TierReport,
  taskId,
} from '@oakestra/contracts';
import {
  type Clock,
  createOvertaking,
  type Logger,
  type Random,
  retry,
  withDeadline,
} from '@oakestra/daemon';
import { createPump, type Pump } from '@oakestra/ownership';
import type { Runtime, RuntimeEvent, RuntimeInstance } from '@oakestra/runtimes';
import type { Journal, JournalLine } from '../journal/index.ts';
import type { LocalNetwork } from '../overlay/index.ts';
import type { ShownValues, ValueFiles } from '../values/index.ts';
import { createWorkerCore, type FoundInstance, type WorkerCore, type WorkerEffects } from './core.ts';
import { createExecutor, type Executor, type ExecutorOptions } from './executor.ts';
import { describeExit, portsOf, readLabels, runtimeIdOf } from './spec.ts';
import { removeStrayFiles } from './stray-files.ts';

export interface InstanceEngineOptions
  extends Pick<ExecutorOptions, 'logDirectory' | 'fileDirectory' | 'resolvConfPath'> {
  readonly valueFiles: ValueFiles;
  readonly shownValues: ShownValues;
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

const SETTLE_MS = 500;

/** Adopts what runs already, then starts what should run. Waits for the runtime as long as it takes. */
export async function startInstances(options: InstanceEngineOptions): Promise<InstanceEngine> {
  const { journal, runtime, network, clock, logger, valueFiles } = options;
  const core = createWorkerCore({
    meta: journal.content.meta,
    entries: [...journal.content.entries.values()],
    boot: options.boot,
    nowMs: clock.monotonicMs,
    wallMs: clock.nowMs,
    address: options.address,
    hasValues: valueFiles.has,
  });
  /** Instances of which something ended while they were being started. */
  const endedEarly = new Set<string>();
  const executor: Executor = createExecutor({
    runtime,
    network,
    logger,
    logDirectory: options.logDirectory,
    fileDirectory: options.fileDirectory,
    resolvConfPath: options.resolvConfPath,
    values: options.shownValues,
    onFinished(key, attempt, result) {
      if (result.kind === 'started') options.onStarted();
      pump.run(() => core.finished(key, attempt, result));
      if (endedEarly.delete(key) && result.kind === 'started') compareSoon();
      // It was only to be cleared, and is not wanted any more since.
      const isUnwanted = journal.content.entries.get(key)?.wanted === 'removed';
      if (result.kind === 'removed' && isUnwanted) executor.discard(key);
    },
    onProgress: (key, attempt, detail) => pump.run(() => core.progress(key, attempt, detail)),
    onImagePinned: (key, attempt, reference) => pump.run(() => core.imagePinned(key, attempt, reference)),
  });
  /** What cannot be said is repaired by the digests; what is to be done must be done. */
  const send = (report: TierReport): void => {
    try {
      options.send(report);
    } catch (error) {
      logger.warn('a report was not sent', { type: report.type, reason: messageOf(error) });
    }
  };
  /** Those of instances that are not to run any more. */
  const eraseValues = (): void => {
    const wanted = () =>
      [...core.entries()].flatMap(({ wanted: goal, document }) => (goal === 'running' ? [document] : []));
    valueFiles.retain(wanted).catch((error: unknown) => {
      logger.warn('values of earlier instances stay until the next start', { reason: messageOf(error) });
    });
  };
  const obey = (command: TierCommand): void => pump.run(() => core.command(command));
  const pump: Pump = createPump<WorkerEffects>({
    core,
    nowMs: clock.monotonicMs,
    setTimer: clock.setTimer,
    durabilityOf: (effects) => (effects.writes.size > 0 || effects.meta !== undefined ? 'full' : 'none'),
    commit: (effects, done) => journal.append(linesOf(effects), done),
    deliver(effects) {
      for (const report of effects.sends) send(report);
      for (const [key, entry] of effects.writes) {
        // Its container went when it ended by itself; only its output was kept.
        if (entry?.wanted === 'removed' && core.activityOf(key) === 'absent') executor.discard(key);
      }
      for (const action of effects.actions) executor.execute(action);
      if (effects.writes.size > 0) eraseValues();
    },
    onCommitFailed: options.onJournalFailed,
  });

  const exited = (event: Extract<RuntimeEvent, { kind: 'exited' }>): void => {
    const key = executor.keyOf(event.id);
    const entry = key === undefined ? undefined : journal.content.entries.get(key);
    if (key === undefined || entry === undefined) return;
    // Either its predecessor, or it was faster than the answer to its start: the runtime knows.
    if (core.activityOf(key) === 'starting') {
      endedEarly.add(key);
      return;
    }
    const detail = describeExit(event.exit, entry.document);
    logger.info('an instance ended', { instance: event.id, detail });
    pump.run(() => core.exited(key, { code: event.exit.code, detail }));
  };

  const listed = async (): Promise<ReadonlyMap<string, RuntimeInstance>> =>
    new Map((await runtime.list()).map((instance) => [instance.id, instance]));

  /** After the runtime was away: events may have been missed. */
  const compare = async (): Promise<void> => {
    // What starts while the runtime makes its list may be missing in it.
    const before = running(core, executor);
    const present = await listed();
    const missing: RunningInstance[] = [];
    for (const instance of before) {
      const state = present.get(instance.runtimeId)?.state;
      if (state?.kind === 'exited') exited({ kind: 'exited', id: instance.runtimeId, exit: state.exit });
      else if (state?.kind !== 'running') missing.push(instance);
    }
    // It may have been made anew meanwhile.
    const again = missing.length === 0 ? present : await listed();
    for (const { key, runtimeId } of missing) {
      if (again.get(runtimeId)?.state.kind === 'running') continue;
      pump.run(() => core.exited(key, { code: 255, detail: 'The container is gone from the runtime' }));
    }
  };

  const compareSoon = (): void => {
    compare().catch((error: unknown) => {
      logger.warn('the runtime could not be compared', { reason: messageOf(error) });
    });
  };

  const found = await adopt(options, core, executor);
  const unsubscribe = runtime.subscribe((event) => {
    switch (event.kind) {
      case 'exited':
        exited(event);
        break;
      case 'available':
        compareSoon();
        break;
      case 'unavailable':
        logger.warn('the runtime does not answer; instances keep running', { reason: event.reason });
        break;
    }
  });
  pump.run(() => core.recover(found));
  eraseValues();
  // Between the listing and the subscription something may have ended.
  await compare().catch((error: unknown) => {
    logger.warn('the runtime could not be compared', { reason: messageOf(error) });
  });
  logger.info('instances adopted', { instances: found.length });

  const arriving = createOvertaking();
  return {
    command(command) {
      if (command.type !== 'deploy' || command.values === undefined) {
        if ('key' in command) arriving.passes(command.key);
        obey(command);
        return;
      }
      const { values, ...bare } = command;
      const mayPass = arriving.waits(command.key);
      valueFiles
        .keep(values)
        .then((release) => {
          if (mayPass()) obey(bare);
          release();
        })
        .catch((error: unknown) => {
          logger.error('the values of an instance could not be stored', {
            instance: command.key,
            reason: messageOf(error),
          });
          // It says that it lacks them, and gets them again.
          if (mayPass()) obey(bare);
        });
    },
    sessionUp: () => pump.run(() => core.sessionUp()),
    sessionDown: () => pump.run(() => core.sessionDown()),
    contact: (sentAtMs) => pump.run(() => core.contact(sentAtMs)),
    greeting: () => core.greeting(options.boot),
    running: () => running(core, executor),
    async stop() {
      unsubscribe();
      // A program that takes its time to end goes on ending without us; the next start finishes its removal.
      const settled = () => executor.stop();
      await withDeadline(settled, { clock, timeoutMs: SETTLE_MS, what: 'the steps under way' }).catch(
        () => {},
      );
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
    const document = labelled.document ?? documentOf(core, labelled.key);
    if (document === undefined) {
      const fields = { id: instance.id, instance: labelled.key };
      logger.error(
        'a container of ours does not say what it is, nor does the journal: it is left alone',
        fields,
      );
      continue;
    }
    executor.remember(labelled, instance.id);
    found.push({ ...labelled, document, ...stateOf(instance, document) });
  }
  // What the journal knows may be half there after a crash: clear it before it is started again.
  for (const entry of core.entries()) {
    if (entry.wanted !== 'running') continue;
    executor.remember(entry, runtimeIdOf(entry));
    known.add(runtimeIdOf(entry));
  }
  const { logDirectory, fileDirectory } = options;
  const sweep = async (): Promise<void> => {
    await removeStrayFiles({ logDirectory, fileDirectory, known });
    await options.shownValues.sweep(known);
  };
  await sweep().catch((error: unknown) => {
    logger.warn('files of earlier instances stay', { reason: messageOf(error) });
  });
  const documents = new Map(found.map((instance) => [instance.key, instance.document]));
  for (const entry of core.entries())
    if (entry.wanted === 'running') documents.set(entry.key, entry.document);
  await network.reconcile(
    Array.from(documents, ([key, document]) => ({
      instanceId: taskId(document.job_name, parseInstanceKey(key).number),
      ports: portsOf(document),
    })),
  );
  return found;
}

function documentOf(core: WorkerCore, key: string): FoundInstance['document'] | undefined {
  for (const entry of core.entries())
    if (entry.key === key && entry.document.image !== '') return entry.document;
  return undefined;
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
