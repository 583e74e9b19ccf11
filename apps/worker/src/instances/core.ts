import {
  compareEpochs,
  type Greeting,
  type InstanceKey,
  type ServiceDocument,
  type TierCommand,
} from '@oakestra/contracts';
import { createReporter, policyOf, type ReporterTiming } from '@oakestra/ownership';
import type { InstanceEntry, WorkerMeta } from '../journal/index.ts';
import { createFence } from './fence.ts';
import { createHoldings } from './holdings.ts';
import type { Activity, Live } from './live.ts';
import { obey } from './orders.ts';
import { type Exit, type FoundInstance, recover } from './recovery.ts';
import type { ActionResult, WorkerEffects } from './steps.ts';

export type { Activity } from './live.ts';
export type { FoundInstance } from './recovery.ts';
export type { ActionResult, InstanceAction, WorkerEffects } from './steps.ts';

export interface WorkerTiming {
  readonly restartFirstMs: number;
  readonly restartCapMs: number;
  /** Having run this long, an instance that ends is restarted as if it had never failed. */
  readonly stableMs: number;
  /** After a start of this process: a fenceable instance may run this long without contact. */
  readonly fenceAtStartMs: number;
}

const DEFAULT_WORKER_TIMING: WorkerTiming = {
  restartFirstMs: 500,
  restartCapMs: 60_000,
  stableMs: 60_000,
  fenceAtStartMs: 2000,
};

/**
 * Decides what runs on this worker. Pure: commands, results and time come in, `takeEffects()` goes out; the caller
 * writes before it sends and acts. An instance stops only for a newer tombstone or owner, or when it fences itself.
 */
export interface WorkerCore {
  /** Call once, before anything else: what the runtime already runs. */
  recover(found: readonly FoundInstance[]): void;
  command(command: TierCommand): void;
  sessionUp(): void;
  sessionDown(): void;
  /** The cluster answered something that we sent at this monotonic time. */
  contact(sentAtMs: number): void;
  finished(key: InstanceKey, attempt: number, result: ActionResult): void;
  progress(key: InstanceKey, attempt: number, detail: string): void;
  /** The tag of the image was resolved. */
  imagePinned(key: InstanceKey, attempt: number, pinnedImage: string): void;
  exited(key: InstanceKey, exit: Exit): void;
  greeting(boot: number): Greeting;
  tick(): void;
  nextDeadlineMs(): number | undefined;
  takeEffects(): WorkerEffects;
  entries(): IterableIterator<InstanceEntry>;
  activityOf(key: InstanceKey): Activity | undefined;
}

export interface WorkerCoreOptions {
  readonly meta: WorkerMeta;
  readonly entries: readonly InstanceEntry[];
  /** Rises with each start of the process. */
  readonly boot: number;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  readonly address: () => string;
  readonly timing?: Partial<WorkerTiming>;
  readonly reporterTiming?: ReporterTiming;
  /** Are the values here that the document refers to? Default: yes. */
  readonly hasValues?: (document: ServiceDocument) => boolean;
}

export function createWorkerCore(options: WorkerCoreOptions): WorkerCore {
  const { nowMs } = options;
  const timing = { ...DEFAULT_WORKER_TIMING, ...options.timing };
  const reporter = createReporter({
    source: { incarnation: options.meta.incarnation, boot: options.boot },
    nowMs,
    ...(options.reporterTiming === undefined ? {} : { timing: options.reporterTiming }),
  });
  const holdings = createHoldings({ hasValues: () => true, ...options, reporter });
  const fence = createFence(holdings, nowMs);

  /** Waits for another try, longer each time. */
  const failed = (entry: InstanceEntry, phase: 'failed' | 'dead', detail: string): void => {
    const live = holdings.live(entry.key);
    live.phase = phase;
    live.detail = detail;
    if (policyOf(entry.document).isAtMostOnce) {
      holdings.end(entry, 'given-up', detail);
      return;
    }
    live.failures += 1;
    live.activity = 'waiting';
    live.notBeforeMs =
      nowMs() + Math.min(timing.restartCapMs, timing.restartFirstMs * 2 ** Math.min(20, live.failures - 1));
    holdings.publish(entry);
  };

  const ended = (entry: InstanceEntry, exit: Exit): void => {
    if (policyOf(entry.document).isOneShot && exit.code === 0) {
      holdings.end(entry, 'completed', exit.detail);
      return;
    }
    const live = holdings.live(entry.key);
    if (nowMs() - live.startedAtMs >= timing.stableMs) live.failures = 0;
    failed(entry, 'dead', exit.detail);
  };

  const started = (entry: InstanceEntry, live: Live): void => {
    live.activity = 'running';
    live.phase = 'running';
    live.detail = '';
    live.startedAtMs = nowMs();
    // The placement was renewed while it started.
    const isRenewed = live.heldEpoch !== undefined && compareEpochs(entry.epoch, live.heldEpoch) > 0;
    if (isRenewed && entry.wanted === 'running') holdings.relabel(entry);
    holdings.decide(entry.key);
  };

  return {
    recover(found) {
      const guard = (entry: InstanceEntry): void =>
        fence.guard(
          entry,
          Math.min(options.meta.fenceByMs ?? Number.POSITIVE_INFINITY, nowMs() + timing.fenceAtStartMs),
        );
      recover({ holdings, nowMs, ended, guard }, found);
    },
    command: (command) => obey(holdings, reporter, command),
    sessionUp: () => reporter.sessionUp(),
    sessionDown: () => reporter.sessionDown(),
    contact: fence.contact,

    finished(key, attempt, result) {
      const entry = holdings.entries.get(key);
      const live = holdings.knownLive(key);
      if (entry === undefined || live?.attempt !== attempt) return;
      switch (result.kind) {
        case 'started':
          started(entry, live);
          break;
        case 'start-failed':
          failed(entry, 'failed', result.detail);
          break;
        case 'removed':
          live.activity = 'absent';
          holdings.decide(key);
          break;
        case 'remove-failed':
          // Still there: try again, nothing else may happen to it before.
          live.activity = 'waiting';
          live.notBeforeMs = nowMs() + timing.restartFirstMs;
          live.detail = result.detail;
          holdings.publish(entry);
          break;
      }
    },

    progress(key, attempt, detail) {
      const entry = holdings.entries.get(key);
      const live = holdings.knownLive(key);
      if (entry === undefined || live?.attempt !== attempt || live.activity !== 'starting') return;
      live.detail = detail;
      holdings.publish(entry);
    },

    imagePinned(key, attempt, pinnedImage) {
      const entry = holdings.entries.get(key);
      const isCurrent = holdings.knownLive(key)?.attempt === attempt;
      if (entry === undefined || !isCurrent || entry.pinnedImage === pinnedImage) return;
      holdings.write({ ...entry, pinnedImage });
    },

    exited(key, exit) {
      const entry = holdings.entries.get(key);
      if (entry === undefined || holdings.knownLive(key)?.activity !== 'running') return;
      if (entry.wanted === 'running' && entry.outcome === null) ended(entry, exit);
    },

    greeting: (boot) => ({
      incarnation: options.meta.incarnation,
      boot,
      highestEpoch: holdings.highestEpoch(),
    }),

    tick() {
      fence.tick();
      for (const [key, live] of holdings.lives()) {
        if (live.activity === 'waiting' && nowMs() >= live.notBeforeMs) holdings.decide(key);
      }
      reporter.tick();
    },

    nextDeadlineMs() {
      let next = Math.min(
        reporter.nextDeadlineMs() ?? Number.POSITIVE_INFINITY,
        fence.nextDeadlineMs() ?? Number.POSITIVE_INFINITY,
      );
      for (const [, live] of holdings.lives()) {
        if (live.activity === 'waiting') next = Math.min(next, live.notBeforeMs);
      }
      return Number.isFinite(next) ? next : undefined;
    },

    takeEffects: holdings.takeEffects,
    entries: () => holdings.entries.values(),
    activityOf: (key) => holdings.knownLive(key)?.activity,
  };
}
