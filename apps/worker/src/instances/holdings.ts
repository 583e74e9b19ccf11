import type { Epoch, InstanceKey, ServiceDocument, TierReport } from '@oakestra/contracts';
import { policyOf, type Reporter } from '@oakestra/ownership';
import type { InstanceEntry, Outcome, WorkerMeta } from '../journal/index.ts';
import { createLive, type Live, phaseOf, STATUS_OF_PHASE } from './live.ts';
import type { InstanceAction, WorkerEffects } from './steps.ts';

/** What the worker holds: its entries, what goes on with each, and what is to be written, said and done about it. */
export interface Holdings {
  readonly entries: ReadonlyMap<InstanceKey, InstanceEntry>;
  live(key: InstanceKey): Live;
  knownLive(key: InstanceKey): Live | undefined;
  lives(): IterableIterator<[InstanceKey, Live]>;
  write(entry: InstanceEntry): void;
  erase(key: InstanceKey): void;
  sawEpoch(epoch: Epoch): void;
  highestEpoch(): Epoch;
  /** See `WorkerMeta.fenceByMs`. */
  fenceBy(atMs: number | null): void;
  fencedBy(): number | null;
  relabel(entry: InstanceEntry): void;
  publish(entry: InstanceEntry): void;
  /** It lacked values. If they are here now, it says so, and starts without waiting. */
  valuesMayBeHere(key: InstanceKey): void;
  say(report: TierReport): void;
  /** Compares what is wanted with what is, and takes the next step. */
  decide(key: InstanceKey): void;
  end(entry: InstanceEntry, outcome: Outcome, detail: string): void;
  /**
   * Stops it for want of contact. Not written: a full disk must not keep it running, and after a start of this
   * process the same follows from its policy.
   */
  fence(entry: InstanceEntry, detail: string): void;
  takeEffects(): WorkerEffects;
}

export function createHoldings(options: {
  readonly meta: WorkerMeta;
  readonly entries: readonly InstanceEntry[];
  readonly reporter: Reporter;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  readonly address: () => string;
  readonly hasValues: (document: ServiceDocument) => boolean;
}): Holdings {
  const { reporter, nowMs } = options;
  const entries = new Map<InstanceKey, InstanceEntry>(options.entries.map((entry) => [entry.key, entry]));
  const lives = new Map<InstanceKey, Live>();
  let { highestEpoch } = options.meta;
  let fenceByMs: number | null = null;
  let writes = new Map<InstanceKey, InstanceEntry | null>();
  let meta: WorkerMeta | undefined;
  let sends: TierReport[] = [];
  let actions: InstanceAction[] = [];

  let attempts = 0;

  /** Never the same twice, also when an instance that was forgotten comes back: what ends late is told apart. */
  const nextAttempt = (): number => {
    attempts += 1;
    return attempts;
  };

  const live = (key: InstanceKey): Live => {
    let present = lives.get(key);
    if (present === undefined) {
      present = createLive();
      lives.set(key, present);
    }
    return present;
  };

  const write = (entry: InstanceEntry): void => {
    entries.set(entry.key, entry);
    writes.set(entry.key, entry);
  };

  const writeMeta = (): void => {
    meta = { incarnation: options.meta.incarnation, highestEpoch, fenceByMs };
  };

  /** Also while it runs: what is missing now would be missed after a reboot. */
  const lacksValues = (entry: InstanceEntry): boolean =>
    entry.wanted === 'running' && entry.outcome === null && !options.hasValues(entry.document);

  const publish = (entry: InstanceEntry): void => {
    const state = live(entry.key);
    const phase = phaseOf(entry, state);
    const isLeaving = entry.wanted === 'removed' && phase !== 'removed';
    const previous = reporter.get(entry.key);
    reporter.set(
      entry.key,
      {
        epoch: isLeaving ? (state.heldEpoch ?? entry.epoch) : entry.epoch,
        phase,
        status: STATUS_OF_PHASE[phase],
        detail: entry.outcome === null || phase === 'starting' ? state.detail : entry.outcomeDetail,
        failures: state.failures,
        ...(lacksValues(entry) ? { needsValues: true } : {}),
        workerAddress: options.address(),
        sinceMs:
          previous?.phase === phase && previous.sinceMs !== undefined ? previous.sinceMs : options.wallMs(),
      },
      phase === 'starting' ? 'lazy' : 'urgent',
    );
  };

  const start = (entry: InstanceEntry): void => {
    const state = live(entry.key);
    state.phase = 'starting';
    state.detail = 'Starting';
    state.heldEpoch = entry.epoch;
    state.attempt = nextAttempt();
    state.activity = 'starting';
    actions.push({ kind: 'start', key: entry.key, attempt: state.attempt, entry });
  };

  const remove = (entry: InstanceEntry): void => {
    const state = live(entry.key);
    state.attempt = nextAttempt();
    state.activity = 'removing';
    // The time without contact was spent by an earlier process, perhaps the grace as well.
    const isOverdue = entry.outcome === 'fenced' && state.fenceByMs !== undefined;
    const graceMs = isOverdue ? 0 : policyOf(entry.document).stopGraceMs;
    actions.push({ kind: 'remove', key: entry.key, attempt: state.attempt, entry, graceMs });
  };

  const decide = (key: InstanceKey): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    const { activity, notBeforeMs } = live(key);
    const mustRun = entry.wanted === 'running' && entry.outcome === null;
    if (mustRun) {
      const isIdle = activity === 'absent' || activity === 'waiting';
      if (isIdle && nowMs() >= notBeforeMs) start(entry);
    } else if (activity !== 'absent' && activity !== 'removing') remove(entry);
    publish(entry);
  };

  return {
    entries,
    live,
    knownLive: (key) => lives.get(key),
    lives: () => lives.entries(),
    write,
    erase(key) {
      entries.delete(key);
      lives.delete(key);
      writes.set(key, null);
      reporter.delete(key);
    },
    sawEpoch(epoch) {
      const next = {
        root: Math.max(highestEpoch.root, epoch.root),
        cluster: Math.max(highestEpoch.cluster, epoch.cluster),
      };
      if (next.root === highestEpoch.root && next.cluster === highestEpoch.cluster) return;
      highestEpoch = next;
      writeMeta();
    },
    highestEpoch: () => highestEpoch,
    fenceBy(atMs) {
      fenceByMs = atMs;
      writeMeta();
    },
    fencedBy: () => fenceByMs,
    relabel(entry) {
      live(entry.key).heldEpoch = entry.epoch;
      actions.push({ kind: 'relabel', key: entry.key, entry });
    },
    publish,
    valuesMayBeHere(key) {
      const entry = entries.get(key);
      if (entry === undefined || lacksValues(entry)) return;
      const state = live(key);
      if (state.activity === 'waiting') state.notBeforeMs = 0;
      decide(key);
    },
    say: (report) => void sends.push(report),
    decide,
    end(entry, outcome, detail) {
      write({ ...entry, outcome, outcomeDetail: detail });
      decide(entry.key);
    },
    fence(entry, detail) {
      entries.set(entry.key, { ...entry, outcome: 'fenced', outcomeDetail: detail });
      decide(entry.key);
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
  };
}
