import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import { type Runtime, removeLog } from '@oakestra/runtimes';
import type { InstanceEntry } from '../journal/index.ts';
import type { LocalNetwork } from '../overlay/index.ts';
import type { ShownValues } from '../values/index.ts';
import { createPlaces, type Place } from './places.ts';
import { labelsOf, runtimeIdOf } from './spec.ts';
import { startInstance } from './start-instance.ts';
import type { ActionResult, InstanceAction } from './steps.ts';

type RemoveAction = Extract<InstanceAction, { kind: 'remove' }>;

export interface ExecutorOptions {
  readonly runtime: Runtime;
  readonly network: LocalNetwork;
  readonly logger: Logger;
  /** Output of the instances, and the small files that are mounted into them. */
  readonly logDirectory: string;
  readonly fileDirectory: string;
  readonly resolvConfPath: string;
  readonly values: ShownValues;
  readonly onFinished: (key: string, attempt: number, result: ActionResult) => void;
  readonly onProgress: (key: string, attempt: number, detail: string) => void;
  readonly onImagePinned: (key: string, attempt: number, reference: string) => void;
}

/** Carries out what the core decided, for each instance one step after the other. */
export interface Executor {
  execute(action: InstanceAction): void;
  /** The core's instance behind an id of the runtime. */
  keyOf(runtimeId: string): string | undefined;
  /** Tells of an instance that existed before this process. Of two with one id at the runtime the first counts. */
  remember(entry: { readonly key: string }, runtimeId: string): void;
  /** Removes the output of an instance that ended by itself and is not wanted any more. */
  discard(key: string): void;
  logPathOf(runtimeId: string): string;
  /** Lets go of what is under way; nothing is undone. Resolves when the last step has ended. */
  stop(): Promise<void>;
}

export function createExecutor(options: ExecutorOptions): Executor {
  const { runtime, network, logger } = options;
  const places = createPlaces((error) =>
    logger.error('a step of an instance failed unexpectedly', { error }),
  );
  /** Aborts the start that is under way, by instance. */
  const starts = new Map<string, AbortController>();
  let isStopped = false;

  const logPathOf = (runtimeId: string): string => join(options.logDirectory, `${runtimeId}.log`);
  const hostsPathOf = (runtimeId: string): string => join(options.fileDirectory, `${runtimeId}.hosts`);

  /** Everything but the output. */
  const clear = async (place: Place): Promise<void> => {
    if (!place.isDirty) return;
    await runtime.remove(place.runtimeId);
    await network.detach(place.runtimeId);
    await rm(hostsPathOf(place.runtimeId), { force: true });
    await options.values.hide(place.runtimeId);
    place.isDirty = false;
  };

  const start = async (
    entry: InstanceEntry,
    attempt: number,
    place: Place,
    signal: AbortSignal,
  ): Promise<void> => {
    const { key } = entry;
    const { runtimeId } = place;
    await clear(place);
    signal.throwIfAborted();
    place.isDirty = true;
    const given = await options.values.show(entry.document, runtimeId);
    await startInstance({
      given,
      ...{ runtime, network, logger, entry, runtimeId, signal },
      paths: {
        logPath: logPathOf(runtimeId),
        hostsPath: hostsPathOf(runtimeId),
        resolvConfPath: options.resolvConfPath,
        networkNamespacePath: network.namespacePathOf(runtimeId),
      },
      onProgress: (detail) => options.onProgress(key, attempt, detail),
      onImagePinned: (reference) => options.onImagePinned(key, attempt, reference),
    });
  };

  const runStart = async (
    entry: InstanceEntry,
    attempt: number,
    place: Place,
    signal: AbortSignal,
  ): Promise<void> => {
    if (signal.aborted) return;
    const { key } = entry;
    const { runtimeId: instance } = place;
    if (place.holder !== undefined && place.holder !== key) {
      const detail = `${instance} is still in use by another service of the same name; waiting for its end`;
      options.onFinished(key, attempt, { kind: 'start-failed', detail });
      return;
    }
    place.holder = key;
    try {
      await start(entry, attempt, place, signal);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('an instance could not be started', { instance, reason: messageOf(error), error });
      await clear(place).catch((clearing: unknown) => {
        logger.warn('what is left of a failed start stays for now', { instance, error: clearing });
      });
      options.onFinished(key, attempt, { kind: 'start-failed', detail: messageOf(error) });
      return;
    }
    options.onFinished(key, attempt, { kind: 'started' });
  };

  const runRemove = async (action: RemoveAction, place: Place): Promise<void> => {
    const { key, entry, attempt, graceMs } = action;
    const { runtimeId: instance } = place;
    try {
      if (place.holder === key) {
        if (place.isDirty) await runtime.stop(instance, { graceMs });
        await clear(place);
        if (entry.wanted === 'removed') {
          await removeLog(logPathOf(instance));
          place.holder = undefined;
        }
      }
    } catch (error) {
      if (isStopped) return;
      const reason = messageOf(error);
      // Said once, not at each try.
      const log = place.complaint === reason ? logger.debug : logger.warn;
      log.call(logger, 'an instance could not be removed, trying again', { instance, reason });
      place.complaint = reason;
      options.onFinished(key, attempt, { kind: 'remove-failed', detail: `Removing failed: ${reason}` });
      return;
    }
    place.complaint = undefined;
    options.onFinished(key, attempt, { kind: 'removed' });
  };

  const relabel = (entry: InstanceEntry, place: Place): Promise<void> =>
    runtime.relabel(place.runtimeId, labelsOf(entry)).catch((error: unknown) => {
      const fields = { instance: place.runtimeId, reason: messageOf(error) };
      logger.warn('an instance could not be relabelled', fields);
    });

  const discardOutput = async (key: string, place: Place): Promise<void> => {
    if (place.holder !== key || place.isDirty) return;
    try {
      await removeLog(logPathOf(place.runtimeId));
      place.holder = undefined;
    } catch (error) {
      const instance = place.runtimeId;
      logger.warn('the output of an instance stays until the next start', { instance, error });
    }
  };

  return {
    execute(action) {
      if (isStopped) return;
      const { entry, key } = action;
      const place = places.of(key) ?? places.claim(key, runtimeIdOf(entry));
      switch (action.kind) {
        case 'start': {
          const abort = new AbortController();
          starts.set(key, abort);
          places.enqueue(key, place, async () => {
            await runStart(entry, action.attempt, place, abort.signal);
            if (starts.get(key) === abort) starts.delete(key);
          });
          break;
        }
        case 'remove':
          starts.get(key)?.abort(new Error('the instance is to be removed'));
          places.enqueue(key, place, () => runRemove(action, place));
          break;
        case 'relabel':
          places.enqueue(key, place, () => relabel(entry, place));
          break;
      }
    },
    keyOf: places.holderOf,
    remember(entry, runtimeId) {
      const place = places.claim(entry.key, runtimeId);
      place.holder ??= entry.key;
      place.isDirty = true;
    },
    discard(key) {
      const place = places.of(key);
      if (place !== undefined && !isStopped) {
        places.enqueue(key, place, () => discardOutput(key, place));
      }
    },
    logPathOf,
    async stop() {
      isStopped = true;
      places.close();
      for (const abort of starts.values()) abort.abort(new Error('the worker stops'));
      await places.settled();
    },
  };
}
