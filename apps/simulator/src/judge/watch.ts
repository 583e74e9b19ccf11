import {
  compareEpochs,
  type Epoch,
  formatEpoch,
  type InstanceKey,
  isGlobal,
  type TierCommand,
} from '@oakestra/contracts';
import { type Effects, type InstanceRecord, type Notice, placementOf, policyOf } from '@oakestra/ownership';
import type { InstanceEntry } from '@oakestra/worker';
import type { Container } from '../nodes/container.ts';
import type { Oracle } from './oracle.ts';

/** Sees every step of a world and checks the promises that hold at each of them. */
export interface Watch {
  readonly violations: readonly string[];
  violation(text: string): void;
  trace(text: string): void;

  /** A user asked for it; after a loss of stores the same number may be given once more. */
  requested(key: InstanceKey): void;
  /** A root or cluster started its process. */
  started(tier: string, records?: Iterable<InstanceRecord>): void;
  /** The store of a tier was put back to an earlier state, or lost. */
  storeChanged(tier: string, options: { readonly isNoticed: boolean }): void;
  tierActed(tier: string, effects: Effects): void;
  ordered(tier: string, member: string, message: TierCommand): void;

  /** An operator removed a cluster by force: he answers for what it still runs. */
  removedByForce(cluster: string, keys: readonly InstanceKey[]): void;
  admitted(cluster: string): void;
  announced(worker: string, untilMs: number): void;
  returned(worker: string): void;
  runs(worker: string, key: InstanceKey, container: Container): void;
  stops(worker: string, key: InstanceKey, container: Container, entry: InstanceEntry): void;
  /** Without an exit code: it was stopped, or lost with its machine. */
  ended(worker: string, key: InstanceKey, exitCode?: number): void;
  runningOf(key: InstanceKey): readonly string[];
  hasLostStores(): boolean;
}

interface Claim {
  readonly worker: string;
  readonly epoch: Epoch;
}

export function createWatch(options: {
  readonly oracle: Oracle;
  readonly nowMs: () => number;
  readonly isTracing: boolean;
  readonly log: string[];
}): Watch {
  const { oracle, nowMs } = options;
  const violations: string[] = [];
  /** Who was ever told to run it, by epoch, at each tier. */
  const holders = new Map<string, string>();
  /** Who ever ran it. */
  const claims = new Map<InstanceKey, Claim[]>();
  /** Which worker, or cluster, was told to run it. */
  const orders = new Map<InstanceKey, Claim[]>();
  const running = new Map<InstanceKey, Set<string>>();
  const starts = new Map<InstanceKey, number>();
  const newest = new Map<string, Map<InstanceKey, Epoch>>();
  const graces = new Map<string, number>();
  /** Jobs that came to a good end somewhere. */
  const completed = new Set<InstanceKey>();
  /** Who failed to run what, or was out of reach, so that another was chosen. */
  const givenUpOn = new Set<string>();
  /** Clusters that were removed, and instances of which copies may run there. */
  const removed = new Set<string>();
  const vouchedFor = new Set<InstanceKey>();
  /** A store went back without noticing: nothing about the number of copies can be promised from then on. */
  let isAtMostOneLost = false;
  /** A store was lost: a holder that is away for long may be unknown to everyone. */
  let isWaitLost = false;

  const violation = (text: string): void => {
    violations.push(`at ${nowMs()} ms: ${text}`);
    trace(`VIOLATION ${text}`);
  };
  const trace = (text: string): void => {
    if (options.isTracing) options.log.push(`${nowMs()} ${text}`);
  };

  const claimsOf = (key: InstanceKey): Claim[] => listOf(claims, key);

  const checkEpochsRise = (tier: string, effects: Effects): void => {
    const known = newest.get(tier) ?? new Map<InstanceKey, Epoch>();
    newest.set(tier, known);
    for (const [key, record] of effects.writes) {
      if (record === null) known.delete(key);
      const owner = record === null ? undefined : placementOf(record, 'owner');
      if (owner === undefined) continue;
      const before = known.get(key);
      if (before !== undefined && compareEpochs(owner.epoch, before) < 0) {
        violation(`${tier} believes in ${formatEpoch(owner.epoch)} of ${key} after ${formatEpoch(before)}`);
      }
      known.set(key, owner.epoch);
    }
  };

  /** What the root says of an instance must have been true at some time. */
  const checkTruth = (effects: Effects): void => {
    for (const [key, record] of effects.writes) {
      if (record?.phase !== 'running' || record.workerId === null) continue;
      if (claimsOf(key).some((claim) => claim.worker === record.workerId)) continue;
      violation(`the root says that ${key} runs on ${record.workerId}, where it never ran`);
    }
  };

  const checkNotice = (tier: string, notice: Notice): void => {
    if (notice.kind === 'store-restored') newest.delete(tier);
    if (notice.kind !== 'replacing') return;
    givenUpOn.add(`${notice.key} ${notice.lost}`);
    const graceMs = graces.get(notice.lost) ?? 0;
    if (nowMs() < graceMs) violation(`${tier} replaces ${notice.key} while ${notice.lost} restarts in order`);
  };

  const checkHolder = (tier: string, member: string, key: InstanceKey, epoch: Epoch): void => {
    const place = tier === 'root' ? `root ${key} ${epoch.root}` : `${tier} ${key} ${formatEpoch(epoch)}`;
    const holder = holders.get(place);
    if (holder !== undefined && holder !== member && !isAtMostOneLost) {
      violation(`${tier} gives ${key} to ${member} under ${formatEpoch(epoch)}, which ${holder} has`);
    }
    holders.set(place, member);
  };

  const checkCopies = (key: InstanceKey, container: Container): void => {
    const policy = policyOf(container.document);
    if (isAtMostOneLost) return;
    const copies = running.get(key)?.size ?? 0;
    const { kind } = policy.onDisconnect;
    const isLimited = kind === 'stop-after' || (kind === 'wait' && !isWaitLost);
    if (isLimited && copies > 1 && !vouchedFor.has(key)) {
      violation(`${key} runs ${copies} times although it says ${kind}`);
    }
    const started = starts.get(key) ?? 0;
    if (policy.isAtMostOnce && started > 1) {
      violation(`${key} was started ${started} times although it says at-most-once`);
    }
  };

  const mayStop = (worker: string, key: InstanceKey, container: Container, entry: InstanceEntry): boolean => {
    // Whether it should be there is looked at in the end: nothing else takes its place.
    if (isGlobal(container.document)) return true;
    if (entry.outcome === 'fenced') return policyOf(container.document).onDisconnect.kind === 'stop-after';
    if (entry.outcome !== null) return true;
    if (compareEpochs(entry.epoch, container.epoch) <= 0) return false;
    if (oracle.wasRemovalAsked(key) || completed.has(key)) return true;
    // Where two are worse than none, the older one has to end first; the newer number decides alone when the store
    // knows no more.
    const isLimited = policyOf(container.document).onDisconnect.kind !== 'replace';
    const cluster = clusterOf(worker);
    if (removed.has(cluster) || vouchedFor.has(key)) return true;
    const isGivenUp = givenUpOn.has(`${key} ${worker}`) || givenUpOn.has(`${key} ${cluster}`);
    if (isLimited && (isWaitLost || isGivenUp)) return true;
    // Only when a newer owner was ready is an older one told to stop; a fenced one has stopped before.
    const isNewer = (claim: Claim) =>
      claim.worker !== worker && compareEpochs(claim.epoch, container.epoch) > 0;
    const hasRun = ({ worker: other }: Claim) => claimsOf(key).some((claim) => claim.worker === other);
    const runsInCluster = ({ worker: cluster }: Claim) =>
      [...(running.get(key) ?? [])].some((other) => other !== worker && other.startsWith(`${cluster}w`));
    // Of a replacement that was under way, a new root knows only that it has the newer number.
    if (isWaitLost && orders.get(key)?.some(isNewer) === true) return true;
    return (
      claimsOf(key).some(isNewer) ||
      orders.get(key)?.some((claim) => isNewer(claim) && (hasRun(claim) || runsInCluster(claim))) === true
    );
  };

  return {
    violations,
    violation,
    trace,
    requested(key) {
      trace(`a user asks for ${key}`);
      starts.delete(key);
    },
    hasLostStores: () => isWaitLost,
    started(tier, records = []) {
      trace(`${tier} starts`);
      // What it had stored, and did not come to say.
      if (tier === 'root') for (const record of records) oracle.replaced(record.key, record);
    },
    storeChanged(tier, { isNoticed }) {
      newest.delete(tier);
      isWaitLost = true;
      if (!isNoticed) isAtMostOneLost = true;
    },
    tierActed(tier, effects) {
      for (const notice of effects.notices) {
        if (notice.kind === 'changed') continue;
        trace(`${tier} ${JSON.stringify(notice)}`);
        checkNotice(tier, notice);
      }
      if (tier === 'root') for (const [key, record] of effects.writes) oracle.replaced(key, record);
      checkEpochsRise(tier, effects);
      if (tier === 'root') checkTruth(effects);
    },
    ordered(tier, member, message) {
      if (options.isTracing && message.type !== 'sync') {
        const epoch = 'epoch' in message ? formatEpoch(message.epoch) : '';
        const about = 'key' in message ? message.key : message.serviceId;
        trace(`${tier} -> ${member} ${message.type} ${about} ${epoch}`);
      }
      if (message.type !== 'deploy') return;
      checkHolder(tier, member, message.key, message.epoch);
      listOf(orders, message.key).push({ worker: member, epoch: message.epoch });
    },
    removedByForce(cluster, keys) {
      removed.add(cluster);
      for (const key of keys) vouchedFor.add(key);
    },
    admitted: (cluster) => void removed.delete(cluster),
    announced: (worker, untilMs) => void graces.set(worker, untilMs),
    returned: (worker) => void graces.delete(worker),
    runs(worker, key, container) {
      const epoch = container.epoch;
      const isStart = running.get(key)?.has(worker) !== true;
      trace(`${worker} ${isStart ? 'runs' : 'keeps'} ${key} ${formatEpoch(epoch)}`);
      claimsOf(key).push({ worker, epoch });
      const set = running.get(key) ?? new Set<string>();
      set.add(worker);
      running.set(key, set);
      if (isStart) starts.set(key, (starts.get(key) ?? 0) + 1);
      checkCopies(key, container);
    },
    stops(worker, key, container, entry) {
      trace(`${worker} stops ${key} ${formatEpoch(container.epoch)} for ${formatEpoch(entry.epoch)}`);
      if (!mayStop(worker, key, container, entry)) {
        violation(`${worker} stops ${key}: nobody asked for it and no newer owner was ready`);
      }
    },
    ended(worker, key, exitCode) {
      trace(`${worker} ${key} has ended ${exitCode ?? ''}`);
      if (exitCode === 0) completed.add(key);
      running.get(key)?.delete(worker);
    },
    runningOf: (key) => [...(running.get(key) ?? [])],
  };
}

/** Workers are named after their cluster. */
const clusterOf = (worker: string): string => worker.slice(0, worker.indexOf('w'));

function listOf(lists: Map<InstanceKey, Claim[]>, key: InstanceKey): Claim[] {
  let list = lists.get(key);
  if (list === undefined) {
    list = [];
    lists.set(key, list);
  }
  return list;
}
