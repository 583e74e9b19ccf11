import {
  compareEpochs,
  type DeployCommand,
  type Epoch,
  type Greeting,
  type InstanceKey,
  type InstancePhase,
  type RemoveCommand,
  type ServiceDocument,
  type StatusWord,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';
import { createReporter, policyOf, type ReporterTiming } from '@oakestra/ownership';
import type { InstanceEntry, Outcome, WorkerMeta } from './entry.ts';

/** One step for the executor. Each is idempotent; each ends in exactly one `finished` event with its `attempt`. */
export type InstanceAction =
  /** Remove what is left of an earlier run, then start. */
  | {
      readonly kind: 'start';
      readonly key: InstanceKey;
      readonly attempt: number;
      readonly entry: InstanceEntry;
    }
  /** Stop and remove every trace; also cancels a start that is under way. */
  | {
      readonly kind: 'remove';
      readonly key: InstanceKey;
      readonly attempt: number;
      readonly entry: InstanceEntry;
    }
  /** Keep running, under a newer epoch. */
  | { readonly kind: 'relabel'; readonly key: InstanceKey; readonly entry: InstanceEntry };

export type ActionResult =
  | { readonly kind: 'started' }
  | { readonly kind: 'start-failed'; readonly detail: string }
  | { readonly kind: 'removed' }
  | { readonly kind: 'remove-failed'; readonly detail: string };

export interface WorkerEffects {
  readonly writes: ReadonlyMap<InstanceKey, InstanceEntry | null>;
  readonly meta: WorkerMeta | undefined;
  readonly sends: readonly TierReport[];
  readonly actions: readonly InstanceAction[];
}

export interface WorkerTiming {
  readonly restartFirstMs: number;
  readonly restartCapMs: number;
  /** Having run this long, an instance that ends is restarted as if it had never failed. */
  readonly stableMs: number;
  /** After a start of this process: a fenceable instance may run this long without contact. */
  readonly fenceAtStartMs: number;
}

export const DEFAULT_WORKER_TIMING: WorkerTiming = {
  restartFirstMs: 500,
  restartCapMs: 60_000,
  stableMs: 60_000,
  fenceAtStartMs: 2000,
};

/** An instance that the runtime already had when this process started. */
export interface FoundInstance {
  readonly key: InstanceKey;
  readonly epoch: Epoch;
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
  readonly isRunning: boolean;
  /** How it ended, when that is known. */
  readonly exit?: { readonly code: number; readonly detail: string };
}

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
  exited(key: InstanceKey, exit: { readonly code: number; readonly detail: string }): void;
  greeting(boot: number): Greeting;
  tick(): void;
  nextDeadlineMs(): number | undefined;
  takeEffects(): WorkerEffects;
  entries(): IterableIterator<InstanceEntry>;
  activityOf(key: InstanceKey): Activity | undefined;
}

/** What is going on with an instance here and now; not stored. `waiting`: for its next start. */
export type Activity = 'absent' | 'starting' | 'running' | 'waiting' | 'removing';

interface Live {
  activity: Activity;
  attempt: number;
  failures: number;
  startedAtMs: number;
  notBeforeMs: number;
  phase: InstancePhase;
  detail: string;
  /** For policies that fence: not later than this without contact; undefined: by the last contact. */
  fenceByMs: number | undefined;
  /** While it is being removed: the placement that still holds it. A tombstone holds nothing. */
  heldEpoch: Epoch | undefined;
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
}

export function createWorkerCore(options: WorkerCoreOptions): WorkerCore {
  const { nowMs } = options;
  const timing = { ...DEFAULT_WORKER_TIMING, ...options.timing };
  const entries = new Map<InstanceKey, InstanceEntry>(options.entries.map((entry) => [entry.key, entry]));
  const lives = new Map<InstanceKey, Live>();
  const reporter = createReporter({
    source: { incarnation: options.meta.incarnation, boot: options.boot },
    nowMs,
    ...(options.reporterTiming === undefined ? {} : { timing: options.reporterTiming }),
  });
  let highestEpoch = options.meta.highestEpoch;
  let fenceByMs: number | null = null;
  let lastContactMs = nowMs();
  let writes = new Map<InstanceKey, InstanceEntry | null>();
  let meta: WorkerMeta | undefined;
  let sends: TierReport[] = [];
  let actions: InstanceAction[] = [];

  const liveOf = (key: InstanceKey): Live => {
    let live = lives.get(key);
    if (live === undefined) {
      live = {
        activity: 'absent',
        attempt: 0,
        failures: 0,
        startedAtMs: 0,
        notBeforeMs: 0,
        phase: 'starting',
        detail: '',
        fenceByMs: undefined,
        heldEpoch: undefined,
      };
      lives.set(key, live);
    }
    return live;
  };

  const write = (entry: InstanceEntry): void => {
    entries.set(entry.key, entry);
    writes.set(entry.key, entry);
  };

  const sawEpoch = (epoch: Epoch): void => {
    const next = {
      root: Math.max(highestEpoch.root, epoch.root),
      cluster: Math.max(highestEpoch.cluster, epoch.cluster),
    };
    if (next.root === highestEpoch.root && next.cluster === highestEpoch.cluster) return;
    highestEpoch = next;
    writeMeta();
  };

  const writeMeta = (): void => {
    meta = { incarnation: options.meta.incarnation, highestEpoch, fenceByMs };
  };

  const publish = (entry: InstanceEntry): void => {
    const live = liveOf(entry.key);
    const phase = phaseOf(entry, live);
    const previous = reporter.get(entry.key);
    reporter.set(
      entry.key,
      {
        epoch: phase === 'removed' || entry.wanted === 'running' ? entry.epoch : (live.heldEpoch ?? entry.epoch),
        phase,
        status: STATUS_OF_PHASE[phase],
        detail: entry.outcome === null || phase === 'starting' ? live.detail : entry.outcomeDetail,
        failures: live.failures,
        workerAddress: options.address(),
        sinceMs:
          previous?.phase === phase && previous.sinceMs !== undefined ? previous.sinceMs : options.wallMs(),
      },
      phase === 'starting' ? 'lazy' : 'urgent',
    );
  };

  const act = (kind: 'start' | 'remove', entry: InstanceEntry): void => {
    const live = liveOf(entry.key);
    live.attempt += 1;
    live.activity = kind === 'start' ? 'starting' : 'removing';
    actions.push({ kind, key: entry.key, attempt: live.attempt, entry });
  };

  /** Compares what is wanted with what is, and takes the next step. */
  const decide = (key: InstanceKey): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    const live = liveOf(key);
    const mustRun = entry.wanted === 'running' && entry.outcome === null;
    if (!mustRun) {
      if (live.activity !== 'absent' && live.activity !== 'removing') act('remove', entry);
    } else if (live.activity === 'absent' || (live.activity === 'waiting' && nowMs() >= live.notBeforeMs)) {
      if (nowMs() >= live.notBeforeMs) {
        live.phase = 'starting';
        live.detail = 'Starting';
        act('start', entry);
      }
    }
    publish(entry);
  };

  const end = (entry: InstanceEntry, outcome: Outcome, detail: string): void => {
    write({ ...entry, outcome, outcomeDetail: detail });
    decide(entry.key);
  };

  const failed = (entry: InstanceEntry, phase: 'failed' | 'dead', detail: string): void => {
    const live = liveOf(entry.key);
    live.phase = phase;
    live.detail = detail;
    if (policyOf(entry.document).isAtMostOnce) {
      end(entry, 'given-up', detail);
      return;
    }
    live.failures += 1;
    live.activity = 'waiting';
    live.notBeforeMs =
      nowMs() + Math.min(timing.restartCapMs, timing.restartFirstMs * 2 ** Math.min(20, live.failures - 1));
    publish(entry);
  };

  const deploy = (command: DeployCommand): void => {
    sawEpoch(command.epoch);
    const present = entries.get(command.key);
    if (present !== undefined && compareEpochs(command.epoch, present.epoch) <= 0) {
      reporter.offerDigest();
      return;
    }
    const isContinued = present !== undefined && present.wanted === 'running' && present.outcome !== 'fenced';
    const entry: InstanceEntry = {
      key: command.key,
      epoch: command.epoch,
      wanted: 'running',
      document: command.document,
      ownerUserId: command.ownerUserId,
      outcome: isContinued ? present.outcome : null,
      outcomeDetail: isContinued ? present.outcomeDetail : '',
      pinnedImage:
        isContinued && present.document.image === command.document.image ? present.pinnedImage : null,
    };
    write(entry);
    const live = liveOf(command.key);
    live.fenceByMs = undefined;
    if (isContinued) {
      if (live.activity === 'running') actions.push({ kind: 'relabel', key: entry.key, entry });
    } else {
      live.failures = 0;
      live.notBeforeMs = 0;
    }
    decide(command.key);
  };

  const remove = (command: RemoveCommand): void => {
    sawEpoch(command.epoch);
    const present = entries.get(command.key);
    if (present !== undefined && compareEpochs(command.epoch, present.epoch) <= 0) {
      reporter.offerDigest();
      return;
    }
    if (present?.wanted === 'running') liveOf(command.key).heldEpoch = present.epoch;
    write({
      key: command.key,
      epoch: command.epoch,
      wanted: 'removed',
      document: present?.document ?? NO_DOCUMENT,
      ownerUserId: present?.ownerUserId ?? '',
      outcome: null,
      outcomeDetail: '',
      pinnedImage: null,
    });
    decide(command.key);
  };

  const forget = (key: InstanceKey, epoch: Epoch): void => {
    const entry = entries.get(key);
    if (entry === undefined || entry.wanted !== 'removed' || compareEpochs(entry.epoch, epoch) > 0) return;
    if (liveOf(key).activity !== 'absent') return;
    entries.delete(key);
    lives.delete(key);
    writes.set(key, null);
    reporter.delete(key);
  };

  const fenceDeadlineOf = (entry: InstanceEntry): number | undefined => {
    const policy = policyOf(entry.document).onDisconnect;
    if (policy.kind !== 'stop-after' || entry.wanted !== 'running' || entry.outcome !== null)
      return undefined;
    return lives.get(entry.key)?.fenceByMs ?? lastContactMs + policy.afterMs;
  };

  const fenceOverdue = (): void => {
    for (const entry of entries.values()) {
      const deadlineMs = fenceDeadlineOf(entry);
      if (deadlineMs !== undefined && nowMs() >= deadlineMs) {
        end(entry, 'fenced', 'Stopped: the cluster was out of reach for longer than on_disconnect allows');
      }
    }
  };

  /** What an instance may do after a start of this process, when its policy says more than "run". */
  const settleAfterStart = (entry: InstanceEntry): void => {
    if (entry.wanted !== 'running' || entry.outcome !== null) return;
    const policy = policyOf(entry.document);
    const live = liveOf(entry.key);
    if (policy.isAtMostOnce && live.activity === 'absent') {
      const detail =
        'It is unknown whether it ran before the worker restarted; at-most-once forbids another try';
      write({ ...entry, outcome: 'given-up', outcomeDetail: detail });
    } else if (policy.onDisconnect.kind === 'stop-after') {
      // How long contact was lost before this start is unknown: wait for the cluster's word.
      if (live.activity !== 'running') {
        write({ ...entry, outcome: 'fenced', outcomeDetail: 'Waiting for the cluster after a restart' });
      } else {
        live.fenceByMs = Math.min(
          options.meta.fenceByMs ?? Number.POSITIVE_INFINITY,
          nowMs() + timing.fenceAtStartMs,
        );
        fenceByMs = live.fenceByMs;
        writeMeta();
      }
    }
  };

  const ended = (entry: InstanceEntry, exit: { readonly code: number; readonly detail: string }): void => {
    if (policyOf(entry.document).isOneShot && exit.code === 0) {
      end(entry, 'completed', exit.detail);
      return;
    }
    if (nowMs() - liveOf(entry.key).startedAtMs >= timing.stableMs) liveOf(entry.key).failures = 0;
    failed(entry, 'dead', exit.detail);
  };

  return {
    recover(found) {
      for (const instance of found) {
        let entry = entries.get(instance.key);
        if (entry === undefined || compareEpochs(instance.epoch, entry.epoch) > 0) {
          // Our journal was lost or is older than the container: unknown means adopt.
          sawEpoch(instance.epoch);
          entry = {
            key: instance.key,
            epoch: instance.epoch,
            wanted: 'running',
            document: instance.document,
            ownerUserId: instance.ownerUserId,
            outcome: null,
            outcomeDetail: '',
            pinnedImage: null,
          };
          write(entry);
        }
        const live = liveOf(instance.key);
        live.activity = instance.isRunning ? 'running' : 'waiting';
        live.phase = instance.isRunning ? 'running' : 'dead';
        live.startedAtMs = nowMs();
        live.heldEpoch = instance.epoch;
      }
      for (const entry of [...entries.values()]) settleAfterStart(entry);
      for (const instance of found) {
        const entry = entries.get(instance.key);
        if (instance.exit !== undefined && entry !== undefined && entry.outcome === null)
          ended(entry, instance.exit);
      }
      for (const key of entries.keys()) decide(key);
    },

    command(command) {
      switch (command.type) {
        case 'deploy':
          deploy(command);
          break;
        case 'remove':
          remove(command);
          break;
        case 'forget':
          forget(command.key, command.epoch);
          break;
        case 'describe': {
          const entry = entries.get(command.key);
          if (entry !== undefined && entry.wanted === 'running') {
            const { key, epoch, document, ownerUserId } = entry;
            sends.push({ type: 'described', key, epoch, document, ownerUserId });
          }
          break;
        }
        case 'sync':
          reporter.answer(command);
          break;
      }
    },

    sessionUp: () => reporter.sessionUp(),
    sessionDown: () => reporter.sessionDown(),

    contact(sentAtMs) {
      if (sentAtMs <= lastContactMs) return;
      lastContactMs = sentAtMs;
      if (fenceByMs === null) return;
      fenceByMs = null;
      writeMeta();
      for (const live of lives.values()) live.fenceByMs = undefined;
    },

    finished(key, attempt, result) {
      const entry = entries.get(key);
      const live = lives.get(key);
      if (entry === undefined || live === undefined || live.attempt !== attempt) return;
      switch (result.kind) {
        case 'started':
          live.activity = 'running';
          live.phase = 'running';
          live.detail = '';
          live.startedAtMs = nowMs();
          break;
        case 'start-failed':
          failed(entry, 'failed', result.detail);
          return;
        case 'removed':
          live.activity = 'absent';
          break;
        case 'remove-failed':
          // Still there: try again, nothing else may happen to it before.
          live.activity = 'waiting';
          live.notBeforeMs = nowMs() + timing.restartFirstMs;
          live.detail = result.detail;
          publish(entry);
          return;
      }
      decide(key);
    },

    progress(key, attempt, detail) {
      const entry = entries.get(key);
      const live = lives.get(key);
      if (entry === undefined || live?.attempt !== attempt || live.activity !== 'starting') return;
      live.detail = detail;
      publish(entry);
    },

    imagePinned(key, attempt, pinnedImage) {
      const entry = entries.get(key);
      if (entry === undefined || lives.get(key)?.attempt !== attempt || entry.pinnedImage === pinnedImage)
        return;
      write({ ...entry, pinnedImage });
    },

    exited(key, exit) {
      const entry = entries.get(key);
      const live = lives.get(key);
      if (entry === undefined || live?.activity !== 'running') return;
      if (entry.wanted === 'removed' || entry.outcome !== null) return;
      ended(entry, exit);
    },

    greeting: (boot) => ({ incarnation: options.meta.incarnation, boot, highestEpoch }),

    tick() {
      fenceOverdue();
      for (const [key, live] of lives) {
        if (live.activity === 'waiting' && nowMs() >= live.notBeforeMs) decide(key);
      }
      reporter.tick();
    },

    nextDeadlineMs() {
      let next = reporter.nextDeadlineMs() ?? Number.POSITIVE_INFINITY;
      for (const live of lives.values())
        if (live.activity === 'waiting') next = Math.min(next, live.notBeforeMs);
      for (const entry of entries.values()) next = Math.min(next, fenceDeadlineOf(entry) ?? next);
      return Number.isFinite(next) ? next : undefined;
    },

    takeEffects() {
      const effects: WorkerEffects = {
        writes,
        meta,
        sends: [...sends, ...reporter.takeMessages()],
        actions,
      };
      writes = new Map();
      meta = undefined;
      sends = [];
      actions = [];
      return effects;
    },

    entries: () => entries.values(),
    activityOf: (key) => lives.get(key)?.activity,
  };
}

function phaseOf(entry: InstanceEntry, live: Live): InstancePhase {
  if (entry.wanted === 'removed') return live.activity === 'absent' ? 'removed' : live.phase;
  switch (entry.outcome) {
    case 'completed':
      return 'completed';
    case 'given-up':
      return live.phase === 'failed' ? 'failed' : 'dead';
    case 'fenced':
      // Only when nothing is left running may another one start.
      return live.activity === 'absent' ? 'fenced' : live.phase;
    case null:
      return live.phase;
  }
}

const STATUS_OF_PHASE: Readonly<Record<InstancePhase, StatusWord>> = {
  pending: 'REQUESTED',
  starting: 'CREATING',
  running: 'RUNNING',
  failed: 'FAILED',
  dead: 'DEAD',
  completed: 'COMPLETED',
  fenced: 'UNDEPLOYED',
  removed: 'UNDEPLOYED',
};

/** Stands for the service of a tombstone whose instance was never here. */
const NO_DOCUMENT: ServiceDocument = {
  microserviceID: '',
  applicationID: '',
  job_name: '',
  app_name: '',
  app_ns: '',
  service_name: '',
  service_ns: '',
  virtualization: 'docker',
  image: '',
  code: '',
};
