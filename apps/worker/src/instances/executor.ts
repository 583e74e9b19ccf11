import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import { type ImageProgress, type Runtime, removeLog } from '@oakestra/runtimes';
import { instanceHosts, type LocalNetwork } from '../overlay/index.ts';
import type { ActionResult, InstanceAction } from './core.ts';
import type { InstanceEntry } from './entry.ts';
import { imageOf, labelsOf, portsOf, runtimeIdOf, specOf, stopGraceMsOf } from './spec.ts';

export interface ExecutorOptions {
  readonly runtime: Runtime;
  readonly network: LocalNetwork;
  readonly logger: Logger;
  /** Output of the instances, and the small files that are mounted into them. */
  readonly logDirectory: string;
  readonly fileDirectory: string;
  readonly resolvConfPath: string;
  readonly onFinished: (key: string, attempt: number, result: ActionResult) => void;
  readonly onProgress: (key: string, attempt: number, detail: string) => void;
  readonly onImagePinned: (key: string, attempt: number, reference: string) => void;
}

/** Carries out what the core decided, for each instance one step after the other. */
export interface Executor {
  execute(action: InstanceAction): void;
  /** The core's instance behind an id of the runtime. */
  keyOf(runtimeId: string): string | undefined;
  /** Tells of an instance that existed before this process. */
  remember(entry: { readonly key: string }, runtimeId: string): void;
  /** Removes the output of an instance that ended by itself and is not wanted any more. */
  discard(key: string): void;
  logPathOf(runtimeId: string): string;
  /** Lets go of what is under way; nothing is undone. */
  stop(): Promise<void>;
}

interface Lane {
  readonly runtimeId: string;
  tail: Promise<void>;
  /** Aborts the start that is under way. */
  abort: AbortController;
  /** Something of an earlier run may be there. */
  isDirty: boolean;
}

export function createExecutor(options: ExecutorOptions): Executor {
  const { runtime, network, logger } = options;
  const lanes = new Map<string, Lane>();
  const keys = new Map<string, string>();
  let isStopped = false;

  const laneOf = (key: string, runtimeId: string): Lane => {
    let lane = lanes.get(key);
    if (lane === undefined) {
      lane = { runtimeId, tail: Promise.resolve(), abort: new AbortController(), isDirty: false };
      lanes.set(key, lane);
      keys.set(runtimeId, key);
    }
    return lane;
  };

  const logPathOf = (runtimeId: string): string => join(options.logDirectory, `${runtimeId}.log`);
  const hostsPathOf = (runtimeId: string): string => join(options.fileDirectory, `${runtimeId}.hosts`);

  /** Everything but the output. */
  const clear = async (runtimeId: string): Promise<void> => {
    await runtime.remove(runtimeId);
    await network.detach(runtimeId);
    await rm(hostsPathOf(runtimeId), { force: true });
  };

  const start = async (
    entry: InstanceEntry,
    attempt: number,
    lane: Lane,
    signal: AbortSignal,
  ): Promise<void> => {
    const { key } = entry;
    const { runtimeId } = lane;
    if (lane.isDirty) await clear(runtimeId);
    signal.throwIfAborted();
    lane.isDirty = true;
    const attach = async (): Promise<void> => {
      const { address } = await network.attach({
        instanceId: runtimeId,
        ports: portsOf(entry.document),
        signal,
      });
      await writeFile(hostsPathOf(runtimeId), instanceHosts({ hostname: hostnameOf(key), address }));
      logger.debug('network attached', { instance: runtimeId });
    };
    const prepare = async () => {
      const image = await runtime.prepareImage(imageOf(entry), {
        signal,
        onProgress: (progress) => options.onProgress(key, attempt, describeProgress(progress)),
      });
      logger.debug('image resolved', { instance: runtimeId });
      options.onImagePinned(key, attempt, image.pinnedReference);
      return image;
    };
    // Settled both: a failed start must not leave the other half running behind its back.
    const [attached, prepared] = await Promise.allSettled([attach(), prepare()]);
    if (attached.status === 'rejected') throw attached.reason;
    if (prepared.status === 'rejected') throw prepared.reason;
    signal.throwIfAborted();
    const paths = {
      logPath: logPathOf(runtimeId),
      hostsPath: hostsPathOf(runtimeId),
      resolvConfPath: options.resolvConfPath,
      networkNamespacePath: network.namespacePathOf(runtimeId),
    };
    await runtime.create(specOf(entry, paths), prepared.value);
    signal.throwIfAborted();
    await runtime.start(runtimeId);
  };

  const runStart = async (entry: InstanceEntry, attempt: number, lane: Lane): Promise<void> => {
    const { signal } = lane.abort;
    try {
      await start(entry, attempt, lane, signal);
      options.onFinished(entry.key, attempt, { kind: 'started' });
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('an instance could not be started', {
        instance: lane.runtimeId,
        reason: messageOf(error),
        error,
      });
      try {
        await clear(lane.runtimeId);
        lane.isDirty = false;
      } catch (clearing) {
        logger.warn('what is left of a failed start stays for now', {
          instance: lane.runtimeId,
          error: clearing,
        });
      }
      options.onFinished(entry.key, attempt, { kind: 'start-failed', detail: messageOf(error) });
    }
  };

  const runRemove = async (entry: InstanceEntry, attempt: number, lane: Lane): Promise<void> => {
    const { runtimeId } = lane;
    try {
      if (lane.isDirty) {
        await runtime.stop(runtimeId, { graceMs: stopGraceMsOf(entry.document) });
        await clear(runtimeId);
      }
      if (entry.wanted === 'removed') {
        await removeLog(logPathOf(runtimeId));
        lanes.delete(entry.key);
        keys.delete(runtimeId);
      }
      lane.isDirty = false;
      options.onFinished(entry.key, attempt, { kind: 'removed' });
    } catch (error) {
      logger.warn('an instance could not be removed, trying again', {
        instance: runtimeId,
        reason: messageOf(error),
      });
      options.onFinished(entry.key, attempt, {
        kind: 'remove-failed',
        detail: `Removing failed: ${messageOf(error)}`,
      });
    }
  };

  return {
    execute(action) {
      const { entry, key } = action;
      const lane = laneOf(key, lanes.get(key)?.runtimeId ?? runtimeIdOf(entry));
      const enqueue = (work: () => Promise<void>): void => {
        lane.tail = lane.tail.then(() => (isStopped ? undefined : work()));
      };
      switch (action.kind) {
        case 'start':
          lane.abort = new AbortController();
          enqueue(() => runStart(entry, action.attempt, lane));
          break;
        case 'remove':
          lane.abort.abort(new Error('the instance is to be removed'));
          enqueue(() => runRemove(entry, action.attempt, lane));
          break;
        case 'relabel':
          enqueue(() =>
            runtime.relabel(lane.runtimeId, labelsOf(entry)).catch((error: unknown) => {
              logger.warn('an instance could not be relabelled', {
                instance: lane.runtimeId,
                reason: messageOf(error),
              });
            }),
          );
          break;
      }
    },
    keyOf: (runtimeId) => keys.get(runtimeId),
    remember(entry, runtimeId) {
      laneOf(entry.key, runtimeId).isDirty = true;
    },
    discard(key) {
      const lane = lanes.get(key);
      if (lane === undefined || isStopped) return;
      const discardLog = async (): Promise<void> => {
        try {
          await removeLog(logPathOf(lane.runtimeId));
        } catch (error) {
          const instance = lane.runtimeId;
          logger.warn('the output of an instance stays until the next start', { instance, error });
          return;
        }
        // Unless it was wanted again meanwhile.
        if (lane.tail !== discarded) return;
        lanes.delete(key);
        keys.delete(lane.runtimeId);
      };
      const discarded = lane.tail.then(discardLog);
      lane.tail = discarded;
    },
    logPathOf,
    async stop() {
      isStopped = true;
      for (const lane of lanes.values()) lane.abort.abort(new Error('the worker stops'));
      await Promise.allSettled(Array.from(lanes.values(), (lane) => lane.tail));
    },
  };
}

function hostnameOf(key: string): string {
  return `instance-${key.slice(key.lastIndexOf('/') + 1)}`;
}

function describeProgress({ phase, doneBytes, totalBytes }: ImageProgress): string {
  switch (phase) {
    case 'resolving':
      return 'Looking up the image';
    case 'downloading': {
      const percent = totalBytes > 0 ? Math.floor((doneBytes / totalBytes) * 100) : 0;
      return `Downloading the image, ${percent} % of ${Math.ceil(totalBytes / 2 ** 20)} MiB`;
    }
    case 'unpacking':
      return 'Unpacking the image';
  }
}
