import { join } from 'node:path';
import { messageOf } from '@oakestra/contracts';
import type { Clock, Logger } from '@oakestra/daemon';
import type { Runtime, RuntimeEvent } from '../runtime.ts';
import { limitedTurns, turnsByKey } from '../turns.ts';
import { probeCgroups, readCgroupMounts } from './cgroup-stats.ts';
import type { ContainerdConnection } from './containerd-connection.ts';
import { createDiskUsage } from './disk-usage.ts';
import { createEventStream } from './event-stream.ts';
import type { TaskExit } from './gen/containerd/task-events.gen.ts';
import { createInstanceEnd } from './instance-end.ts';
import { exitOf } from './instance-exit.ts';
import { createInstanceList } from './instance-list.ts';
import { createInstanceMemory, type RememberedInstance } from './instance-memory.ts';
import { createInstanceStart } from './instance-start.ts';
import type { ProcessLimits } from './oci-spec.ts';
import type { PrepareImage } from './prepared-image.ts';
import { findRecord, type HostCgroups, type OnStep, type RuntimeContext } from './runtime-context.ts';
import type { ChooseSnapshotter } from './snapshotter.ts';
import { createStartMarkers } from './start-markers.ts';
import { createTaskCalls } from './task-calls.ts';
import { createUserLookup } from './user-lookup.ts';

export interface ContainerdRuntimeOptions {
  /** Closed by the runtime's `close()`. */
  readonly connection: ContainerdConnection;
  /** The same that `prepareImage` unpacks into. */
  readonly snapshotter: ChooseSnapshotter;
  readonly prepareImage: PrepareImage;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Made when needed; should survive reboots. */
  readonly stateDirectory: string;
  /** Directory of all our control groups, default `/oakestra`. */
  readonly cgroupParent?: string;
  /** Default: 1,024 open files (node-engine 11.4), 4,096 processes. */
  readonly limits?: Partial<ProcessLimits>;
  /** Creations and starts at the same time, default 4: more do not become faster, only later. */
  readonly concurrentStarts?: number;
  /** For logs and benchmarks. */
  readonly onStep?: OnStep;
}

const defaultLimits: ProcessLimits = { openFiles: 1_024, pids: 4_096 };
const defaultConcurrentStarts = 4;

/**
 * Containers by a containerd on this host, 1.6 or newer. Nothing happens before the first call; what runs is
 * independent of this process and of containerd's restarts.
 */
export function createContainerdRuntime(options: ContainerdRuntimeOptions): Runtime {
  const { connection, clock, logger, prepareImage, cgroupParent = '/oakestra' } = options;
  const context: RuntimeContext = {
    connection,
    clock,
    logger,
    prepareImage,
    snapshotter: options.snapshotter,
    tasks: createTaskCalls(connection, clock),
    memory: createInstanceMemory(),
    markers: createStartMarkers(options.stateDirectory),
    limits: { ...defaultLimits, ...options.limits },
    cgroups: onceSuccessful(readHostCgroups),
    cgroupPathOf: (containerId) => join('/', cgroupParent, containerId),
    step: stepsReportedTo(options.onStep, clock),
  };
  const diskUsage = createDiskUsage(connection, clock);
  const ending = createInstanceEnd(context, diskUsage);
  const listing = createInstanceList(context, diskUsage);
  const starting = createInstanceStart(context, {
    lookUpUser: createUserLookup(connection, clock),
    removeLeftover: ending.remove,
  });

  const listeners = new Set<(event: RuntimeEvent) => void>();
  const emit = (event: RuntimeEvent) => {
    for (const listener of [...listeners]) listener(event);
  };
  const events = createEventStream({
    connection,
    clock,
    logger,
    onExit: (exit) => {
      reportExit(context, exit, emit).catch((error: unknown) => {
        logger.warn('An exit could not be examined', {
          reason: messageOf(error),
          containerId: exit.containerId,
        });
      });
    },
    onOutOfMemory: (containerId) => {
      const entry = context.memory.findByContainer(containerId);
      if (entry !== undefined) entry.ranOutOfMemory = true;
    },
    onAvailable: () => emit({ kind: 'available' }),
    onUnavailable: (reason) => emit({ kind: 'unavailable', reason }),
  });

  const inTurn = turnsByKey();
  const amongStarts = limitedTurns(options.concurrentStarts ?? defaultConcurrentStarts);
  return {
    name: 'docker',
    capabilities: { enforcesLimits: true, usesImages: true },
    prepareImage,
    create: (spec, image) => inTurn(spec.id, () => amongStarts(() => starting.create(spec, image))),
    start: (id) => inTurn(id, () => amongStarts(() => starting.start(id))),
    list: listing.list,
    // Not in turn: what runs must be stoppable while something else about it hangs.
    signal: ending.signal,
    stop: ending.stop,
    relabel: (id, labels) => inTurn(id, () => listing.relabel(id, labels)),
    remove: (id) => inTurn(id, () => ending.remove(id)),
    stats: listing.stats,
    subscribe(listener) {
      const own = (event: RuntimeEvent) => listener(event);
      listeners.add(own);
      events.start();
      return () => void listeners.delete(own);
    },
    async close() {
      listeners.clear();
      await events.stop();
      connection.close();
    },
  };
}

async function readHostCgroups(): Promise<HostCgroups> {
  const mounts = await readCgroupMounts();
  return { mounts, features: await probeCgroups(mounts) };
}

/** Reports the end of an instance once, and only of the process that we know under its name. */
async function reportExit(
  context: RuntimeContext,
  exit: TaskExit,
  emit: (event: RuntimeEvent) => void,
): Promise<void> {
  const known = context.memory.findByContainer(exit.containerId) ?? (await adopt(context, exit));
  if (known === undefined || known.pid !== exit.pid || known.exit !== undefined) return;
  const ended = { status: exit.exitStatus, atMs: exit.exitedAt?.getTime() ?? context.clock.nowMs() };
  const described = await exitOf(context, ended, known);
  if (known.exit !== undefined) return;
  known.exit = described;
  emit({ kind: 'exited', id: known.id, exit: described });
}

/** An instance that a process before this one started. */
async function adopt(context: RuntimeContext, exit: TaskExit): Promise<RememberedInstance | undefined> {
  const record = await findRecord(context, exit.containerId);
  if (record === undefined) return undefined;
  const entry = Object.assign(context.memory.of(record.id), { record });
  entry.pid ??= exit.pid;
  entry.hasStarted = true;
  return entry;
}

/** Calls `work` once; after a failure again at the next call. */
function onceSuccessful<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined;
  return () => {
    result ??= work().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}

function stepsReportedTo(onStep: OnStep | undefined, clock: Clock): RuntimeContext['step'] {
  if (onStep === undefined) return (_name, work) => work();
  return async (name, work) => {
    const startedMs = clock.monotonicMs();
    try {
      return await work();
    } finally {
      onStep(name, clock.monotonicMs() - startedMs);
    }
  };
}
