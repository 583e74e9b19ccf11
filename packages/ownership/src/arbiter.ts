import type {
  Changes,
  DeployCommand,
  Digest,
  Epoch,
  Greeting,
  InstanceKey,
  MemberFacts,
  Page,
  RemoveCommand,
  ServiceDocument,
} from '@oakestra/contracts';
import { believe, meetStranger } from './believe.ts';
import {
  type ArbiterContext,
  type ArbiterTiming,
  comparePlacements,
  DEFAULT_TIMING,
  type Schedule,
  type Tier,
} from './context.ts';
import { createEffectCollector, type Effects } from './effects.ts';
import { createMember, isAuthoritative, type Member } from './members.ts';
import { createOrderBook } from './orders.ts';
import { reconcile } from './reconcile.ts';
import { type Durability, type InstanceRecord, placementOf } from './record.ts';
import { createSuspicionGuard, DEFAULT_SUSPICION, type SuspicionSettings } from './suspicion.ts';

export interface ArbiterOptions {
  readonly tier: Tier;
  readonly schedule: Schedule;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Unix milliseconds. */
  readonly wallMs: () => number;
  /** A new random incarnation of the store. */
  readonly mintIncarnation: () => string;
  readonly timing?: Partial<ArbiterTiming>;
  readonly suspicion?: SuspicionSettings;
  readonly stored: StoredState;
}

/** What a tier finds in its store at start. */
export interface StoredState {
  readonly incarnation: string;
  /** 0: a new store. */
  readonly counter: number;
  readonly records: readonly InstanceRecord[];
  /** Members known from earlier; they are waited for after a start. */
  readonly members: readonly string[];
  /** The store itself noticed that it is a copy of an earlier state: learn from below before acting. */
  readonly wasRestored?: boolean;
}

export type DownReason =
  | { readonly kind: 'reset' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'restarting'; readonly graceMs: number };

/** Something that the arbiter of a tier is told to want. */
export interface Intent {
  readonly key: InstanceKey;
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
}

/**
 * Decides who may run each instance: the heart of the root (whose members are clusters) and of the cluster (whose
 * members are workers). It keeps the promises of the design's chapter "Ownership". Pure: no input or output; the
 * caller feeds events and carries out `takeEffects()`, writes before sends.
 */
export interface Arbiter {
  readonly incarnation: string;
  readonly counter: number;
  /** The user wants this instance (root). */
  want(intent: Intent): void;
  /** The user does not want it any more (root). False: unknown, or removed already. */
  unwant(key: InstanceKey): boolean;
  /** Commands of the tier above (cluster). */
  deploy(command: DeployCommand): void;
  remove(command: RemoveCommand): void;
  forget(key: InstanceKey, epoch: Epoch): void;

  memberUp(id: string, greeting: Greeting): void;
  memberDown(id: string, reason: DownReason): void;
  /** Any sign of life. */
  memberHeard(id: string): void;
  memberFacts(id: string, facts: MemberFacts): void;
  receive(id: string, message: Changes | Digest | Page): void;
  /** The answer to `describe`: adopt what we did not know. */
  adopt(id: string, described: Intent & { readonly epoch: Epoch }): void;
  /** Our own event loop was late: nobody is suspected for what we may have missed. */
  selfLate(lateMs: number): void;

  tick(): void;
  /** Monotonic time of the next `tick`; undefined: nothing is waited for. */
  nextDeadlineMs(): number | undefined;
  takeEffects(): Effects;

  record(key: InstanceKey): InstanceRecord | undefined;
  records(): IterableIterator<InstanceRecord>;
  memberState(id: string): Readonly<Member> | undefined;
  members(): IterableIterator<Readonly<Member>>;
  isLearning(): boolean;
}

export function createArbiter(options: ArbiterOptions): Arbiter {
  const { tier, nowMs, wallMs, stored } = options;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const records = new Map<InstanceKey, InstanceRecord>();
  const members = new Map<string, Member>();
  const wakes = new Map<InstanceKey, number>();
  const unplaced = new Set<InstanceKey>();
  const backoffs = new Map<InstanceKey, { attempts: number; notBeforeMs: number }>();
  const orders = createOrderBook(timing.resendFirstMs, timing.resendCapMs);
  const guard = createSuspicionGuard(options.suspicion ?? DEFAULT_SUSPICION);
  const effects = createEffectCollector();
  let counter = stored.counter;
  let incarnation = stored.incarnation;
  let learningUntilMs = 0;

  const ensureMember = (id: string): Member => {
    let member = members.get(id);
    if (member === undefined) {
      member = createMember(id, nowMs() + timing.startGraceMs, nowMs());
      members.set(id, member);
    }
    return member;
  };

  const memoryOf = (record: InstanceRecord): number => {
    const memory = record.document.memory;
    return typeof memory === 'number' && memory > 0 ? memory : 0;
  };

  const index = (record: InstanceRecord, sign: 1 | -1): void => {
    for (const placement of record.placements) {
      const member = ensureMember(placement.member);
      member.reservedMemoryMib += sign * memoryOf(record);
      if (sign === 1) member.keys.add(record.key);
      else member.keys.delete(record.key);
    }
    if (sign === 1 && record.wanted === 'running' && placementOf(record, 'owner') === undefined) {
      unplaced.add(record.key);
    } else unplaced.delete(record.key);
  };

  const advanceCounter = (atLeast: number): number => {
    counter = Math.max(counter + 1, atLeast);
    effects.counterChanged(counter, incarnation);
    return counter;
  };

  /** The first number of a new life is above all of an earlier one that was lost, if clocks are roughly right. */
  const firstNumber = (): number => Math.floor(wallMs() / 1000);

  const retryUnplaced = (): void => {
    for (const key of unplaced) {
      const backoff = backoffs.get(key);
      if (backoff !== undefined) backoff.notBeforeMs = 0;
      wakes.set(key, nowMs());
    }
  };

  const context: ArbiterContext = {
    tier,
    timing,
    guard,
    effects,
    schedule: options.schedule,
    nowMs,
    wallMs,
    member: (id) => members.get(id),
    upMembers: () => [...members.values()].filter((member) => member.isUp),
    isLearning: () => nowMs() < learningUntilMs,
    learningUntilMs: () => learningUntilMs,
    nextEpoch(record) {
      const number = advanceCounter(counter === 0 ? firstNumber() : 0);
      return tier === 'root' ? { root: number, cluster: 0 } : { root: record.authority, cluster: number };
    },
    save(record, durability: Durability) {
      const before = records.get(record.key);
      if (before !== undefined) index(before, -1);
      index(record, 1);
      records.set(record.key, record);
      effects.write(record, durability);
      effects.notice({ kind: 'changed', key: record.key });
      if (before !== undefined && before.placements.length > record.placements.length) retryUnplaced();
    },
    erase(record) {
      index(record, -1);
      unplaced.delete(record.key);
      records.delete(record.key);
      wakes.delete(record.key);
      backoffs.delete(record.key);
      effects.erase(record.key);
      retryUnplaced();
    },
    order(member, message) {
      if (orders.note(member, message, nowMs())) effects.send(member, message);
    },
    wake(key, atMs) {
      const present = wakes.get(key);
      if (present === undefined || atMs < present) wakes.set(key, atMs);
    },
    scheduleBackoff(key) {
      const state = backoffs.get(key) ?? { attempts: 0, notBeforeMs: 0 };
      return {
        mayTry: nowMs() >= state.notBeforeMs,
        failed() {
          const delayMs = Math.min(
            timing.scheduleRetryCapMs,
            timing.scheduleRetryFirstMs * 2 ** state.attempts,
          );
          backoffs.set(key, { attempts: state.attempts + 1, notBeforeMs: nowMs() + delayMs });
          return nowMs() + delayMs;
        },
        reset() {
          backoffs.delete(key);
        },
      };
    },
  };

  const decide = (key: InstanceKey): void => {
    const record = records.get(key);
    if (record !== undefined) reconcile(context, record);
  };

  const storeWasRestored = (seen: number): void => {
    effects.notice({ kind: 'store-restored', seen, own: counter });
    incarnation = options.mintIncarnation();
    advanceCounter(Math.max(seen + 1, firstNumber()));
    learningUntilMs = nowMs() + timing.learnMs;
    for (const key of records.keys()) context.wake(key, learningUntilMs);
  };

  const learnFrom = (epoch: Epoch): void => {
    const seen = tier === 'root' ? epoch.root : epoch.cluster;
    if (seen > counter) storeWasRestored(seen);
  };

  const observe = (member: Member, key: InstanceKey): void => {
    const report = member.mirror.get(key);
    const record = records.get(key);
    if (report === undefined) {
      orders.settle(member.id, key);
      if (record !== undefined) decide(key);
      return;
    }
    learnFrom(report.epoch);
    if (record === undefined) {
      if (report.phase === 'removed') context.order(member.id, { type: 'forget', key, epoch: report.epoch });
      else if (isAuthoritative(member)) context.order(member.id, { type: 'describe', key });
      return;
    }
    const placement = record.placements.find((other) => other.member === member.id);
    if (placement === undefined) meetStranger(context, record, member.id, report);
    else {
      const order = comparePlacements(tier, report.epoch, placement.epoch);
      if (order >= 0 && report.phase !== 'removed') orders.settle(member.id, key);
      believe(context, record, placement, report);
    }
    decide(key);
  };

  const newRecord = (intent: Intent, authority: number): InstanceRecord => ({
    key: intent.key,
    document: intent.document,
    ownerUserId: intent.ownerUserId,
    authority,
    wanted: 'running',
    tombstone: null,
    isTombstoneLearned: false,
    placements: [],
    phase: 'pending',
    status: tier === 'root' ? 'REQUESTED' : 'CLUSTER_SCHEDULED',
    detail: 'Waiting for scheduling decision',
    failures: 0,
    lastHolder: null,
    workerId: null,
    workerAddress: null,
    sinceMs: wallMs(),
  });

  const raiseAuthority = (record: InstanceRecord, command: DeployCommand): void => {
    const isRevived = record.wanted === 'removed';
    if (
      isRevived ? command.epoch.root < (record.tombstone?.root ?? 0) : command.epoch.root <= record.authority
    ) {
      // Repeated or late: the present row is the answer.
      effects.notice({ kind: 'changed', key: record.key });
      return;
    }
    context.save(
      {
        ...record,
        document: command.document,
        authority: command.epoch.root,
        wanted: 'running',
        tombstone: null,
        isTombstoneLearned: false,
        ...(isRevived
          ? {
              placements: record.placements.map((other) => ({ ...other, role: 'retired' as const })),
              phase: 'pending' as const,
              status: 'CLUSTER_SCHEDULED' as const,
              detail: 'Waiting for scheduling decision',
            }
          : {}),
      },
      'full',
    );
    decide(record.key);
  };

  for (const id of stored.members) ensureMember(id);
  for (const record of stored.records) {
    records.set(record.key, record);
    index(record, 1);
    wakes.set(record.key, nowMs());
  }
  if (stored.wasRestored === true) storeWasRestored(counter);

  return {
    get incarnation() {
      return incarnation;
    },
    get counter() {
      return counter;
    },

    want(intent) {
      if (records.has(intent.key)) return;
      context.save(newRecord(intent, 0), 'full');
      decide(intent.key);
    },

    unwant(key) {
      const record = records.get(key);
      if (record === undefined || (record.wanted === 'removed' && !record.isTombstoneLearned)) return false;
      const tombstone = context.nextEpoch(record);
      context.save(
        { ...record, wanted: 'removed', tombstone, isTombstoneLearned: false, authority: tombstone.root },
        'full',
      );
      decide(key);
      return true;
    },

    deploy(command) {
      const record = records.get(command.key);
      if (record !== undefined) {
        raiseAuthority(record, command);
        return;
      }
      const holder = command.lastHolder;
      const base = newRecord(command, command.epoch.root);
      if (holder !== undefined) {
        ensureMember(holder.member);
        learnFrom(holder.epoch);
      }
      context.save(
        holder === undefined
          ? base
          : {
              ...base,
              lastHolder: { ...holder, via: holder.member },
              placements: [{ member: holder.member, epoch: holder.epoch, role: 'owner' }],
            },
        'full',
      );
      decide(command.key);
    },

    remove(command) {
      const record = records.get(command.key);
      if (record === undefined) {
        // Nothing here: confirm, and remember it until the tier above says `forget`.
        context.save(
          {
            ...newRecord({ key: command.key, document: EMPTY_DOCUMENT, ownerUserId: '' }, command.epoch.root),
            wanted: 'removed',
            tombstone: command.epoch,
            phase: 'removed',
            status: 'UNDEPLOYED',
            detail: '',
          },
          'full',
        );
        return;
      }
      const isNewer =
        record.wanted === 'removed'
          ? command.epoch.root > (record.tombstone?.root ?? 0)
          : command.epoch.root > record.authority;
      if (isNewer) {
        context.save(
          {
            ...record,
            wanted: 'removed',
            tombstone: command.epoch,
            isTombstoneLearned: false,
            authority: command.epoch.root,
          },
          'full',
        );
      } else effects.notice({ kind: 'changed', key: record.key });
      decide(command.key);
    },

    forget(key, epoch) {
      const record = records.get(key);
      if (record === undefined || record.phase !== 'removed' || record.placements.length > 0) return;
      if ((record.tombstone?.root ?? 0) > epoch.root) return;
      context.erase(record);
      effects.notice({ kind: 'changed', key });
    },

    memberUp(id, greeting) {
      const member = ensureMember(id);
      const wasDown = !member.isUp;
      member.isUp = true;
      member.lastHeardMs = nowMs();
      member.mirror.beginSession({ incarnation: greeting.incarnation, boot: greeting.boot });
      orders.forgetMember(id);
      if (wasDown) guard.memberReturned();
      learnFrom(greeting.highestEpoch);
    },

    memberDown(id, reason) {
      const member = members.get(id);
      if (member === undefined || !member.isUp) return;
      member.isUp = false;
      orders.forgetMember(id);
      const graceMs =
        reason.kind === 'restarting'
          ? reason.graceMs
          : reason.kind === 'reset'
            ? timing.resetGraceMs
            : timing.silenceGraceMs;
      member.actAfterMs = nowMs() + graceMs;
      if (reason.kind !== 'restarting' && guard.memberLost(nowMs(), members.size)) {
        effects.notice({ kind: 'loss-doubted', heldForMs: guard.heldUntilMs() - nowMs() });
      }
      for (const key of member.keys) decide(key);
    },

    memberHeard(id) {
      const member = members.get(id);
      if (member !== undefined) member.lastHeardMs = nowMs();
    },

    memberFacts(id, facts) {
      const member = ensureMember(id);
      const isFirst = member.facts === undefined;
      member.facts = facts;
      if (isFirst) retryUnplaced();
    },

    receive(id, message) {
      const member = ensureMember(id);
      member.lastHeardMs = nowMs();
      const received = member.mirror.receive(message);
      for (const request of received.requests) effects.send(id, request);
      if (received.becameSynced) {
        const keys = new Set(member.keys);
        for (const [key] of member.mirror.entries()) keys.add(key);
        for (const key of keys) observe(member, key);
        retryUnplaced();
      } else for (const key of received.changed) observe(member, key);
    },

    adopt(id, described) {
      const member = members.get(id);
      if (records.has(described.key) || !isAuthoritative(member)) return;
      const report = member.mirror.get(described.key);
      if (report === undefined || report.phase === 'removed') return;
      learnFrom(described.epoch);
      context.save(
        {
          ...newRecord(described, described.epoch.root),
          placements: [{ member: id, epoch: report.epoch, role: 'owner' }],
        },
        'full',
      );
      orders.settle(id, described.key);
      effects.notice({ kind: 'adopted', key: described.key, member: id });
      observe(member, described.key);
    },

    selfLate(lateMs) {
      for (const member of members.values()) {
        if (!member.isUp)
          member.actAfterMs = Math.max(member.actAfterMs + lateMs, nowMs() + timing.resetGraceMs);
      }
    },

    tick() {
      const now = nowMs();
      const due = new Set<string>();
      for (const [key, atMs] of wakes) if (atMs <= now) due.add(key);
      for (const key of orders.due(now)) due.add(key);
      for (const key of due) {
        wakes.delete(key);
        decide(key);
        for (const member of members.values()) {
          if (!member.isUp || member.mirror.get(key) === undefined) continue;
          if (!records.has(key) || !member.keys.has(key)) observe(member, key);
        }
      }
      orders.dropStale(now);
    },

    nextDeadlineMs() {
      let next = orders.nextDueMs();
      for (const atMs of wakes.values()) if (next === undefined || atMs < next) next = atMs;
      return next;
    },

    takeEffects: () => effects.take(),
    record: (key) => records.get(key),
    records: () => records.values(),
    memberState: (id) => members.get(id),
    members: () => members.values(),
    isLearning: () => context.isLearning(),
  };
}

/** Stands for the service of a tombstone whose service we never knew. */
const EMPTY_DOCUMENT: ServiceDocument = {
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
