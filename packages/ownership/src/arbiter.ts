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
import { createAgenda } from './agenda.ts';
import type { ArbiterContext } from './context.ts';
import { createEffectCollector, type Effects } from './effects.ts';
import { createEpochIssuer } from './epochs.ts';
import { deploy, discard, forget, type Intent, remove, unwant, want } from './intents.ts';
import { releaseMember } from './leaving.ts';
import {
  type Availability,
  createMembership,
  isAuthoritative,
  isLeaving,
  type Member,
  type MemberMark,
} from './members.ts';
import { offersMore } from './offers.ts';
import { createOrderBook } from './orders.ts';
import { createPresence, type DownReason } from './presence.ts';
import { reconcile } from './reconcile.ts';
import type { InstanceRecord } from './record.ts';
import { adopt, observe, receive } from './reports.ts';
import { createRetries } from './retries.ts';
import type { Schedule } from './schedule.ts';
import { createStrangers } from './strangers.ts';
import { createSuspicionGuard, DEFAULT_SUSPICION, type SuspicionSettings } from './suspicion.ts';
import { createRecordTable } from './table.ts';
import type { Tier } from './tier.ts';
import { type ArbiterTiming, DEFAULT_TIMING } from './timing.ts';

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
  /** Are the values at hand that the document refers to, so that a member can be given them? Default: yes. */
  readonly hasValues?: (document: ServiceDocument) => boolean;
}

/** What a tier finds in its store at start. */
export interface StoredState {
  readonly incarnation: string;
  /** 0: a new store. */
  readonly counter: number;
  /** See `EpochState`. */
  readonly floor?: number;
  readonly records: readonly InstanceRecord[];
  /** Members known from earlier; they are waited for after a start. */
  readonly members: readonly string[];
  /** What operators said of members. */
  readonly marks?: readonly (readonly [string, MemberMark])[];
  /** The store itself noticed that it is a copy of an earlier state: learn from below before acting. */
  readonly wasRestored?: boolean;
}

/**
 * Decides who may run each instance: the heart of the root (whose members are clusters) and of the cluster (whose
 * members are workers). It keeps the promises of the design's chapter "Ownership". Pure: no input or output; the
 * caller feeds events and carries out `takeEffects()`, writes before sends.
 */
export interface Arbiter {
  readonly incarnation: string;
  readonly counter: number;
  /** A number above all that were given out (root). */
  mint(): number;
  /** Did this store give out the number, and would it therefore remember what it was for? */
  gaveOut(number: number): boolean;
  /** The user wants this instance (root). */
  want(intent: Intent): void;
  /** The user does not want it any more (root). False: unknown, or removed already. */
  unwant(key: InstanceKey): boolean;
  /** Commands of the tier above (cluster). */
  deploy(command: DeployCommand): void;
  remove(command: RemoveCommand): void;
  /** Ends what this tier made by itself (cluster). */
  discard(key: InstanceKey): void;
  forget(key: InstanceKey, epoch: Epoch): void;

  memberUp(id: string, greeting: Greeting): void;
  memberDown(id: string, reason: DownReason): void;
  /** Any sign of life. */
  memberHeard(id: string): void;
  memberFacts(id: string, facts: MemberFacts): void;
  /** An operator wants it so. */
  setAvailability(id: string, availability: Availability): void;
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
  const { tier, nowMs, stored } = options;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const effects = createEffectCollector();
  const guard = createSuspicionGuard(options.suspicion ?? DEFAULT_SUSPICION);
  const membership = createMembership();
  const memberOf = (id: string): Member => membership.ensure(id, nowMs() + timing.startGraceMs, nowMs());
  const table = createRecordTable(memberOf);
  const orders = createOrderBook(timing.resendFirstMs, timing.resendCapMs);
  const wakes = createAgenda<InstanceKey>();
  const retries = createRetries(timing, nowMs);
  /** When what waits for room is tried again; undefined: nothing gives hope. */
  let retryAtMs: number | undefined;

  const epochs = createEpochIssuer({
    ...options,
    timing,
    effects,
    records: () => table.values(),
    onRestored: doubtAll,
  });

  const mayHaveRoom = (): void => {
    retryAtMs ??= retries.mayHaveRoom();
  };

  const decide = (key: InstanceKey): void => {
    strangers.review(key);
    const record = table.get(key);
    if (record !== undefined) reconcile(context, record);
  };

  const context: ArbiterContext = {
    tier,
    timing,
    guard,
    effects,
    epochs,
    membership,
    schedule: options.schedule,
    hasValues: options.hasValues ?? (() => true),
    nowMs,
    wallMs: options.wallMs,
    member: membership.get,
    record: table.get,
    save(record, durability) {
      const before = table.get(record.key);
      table.put(record);
      effects.write(record, durability);
      effects.notice({ kind: 'changed', key: record.key });
      if (before !== undefined && before.placements.length > record.placements.length) mayHaveRoom();
    },
    erase(record) {
      table.delete(record);
      wakes.delete(record.key);
      retries.forget(record.key);
      effects.erase(record.key);
      if (record.placements.length > 0) mayHaveRoom();
    },
    order(member, message) {
      if (orders.note(member, message, nowMs())) effects.send(member, message);
    },
    settle: orders.settle,
    wake: wakes.advance,
    decide,
    noteStranger: (member, key) => strangers.note(member, key),
    backoff: retries.backoff,
  };

  const strangers = createStrangers(context);
  const presence = createPresence({ ...context, memberOf, orders });

  function doubtAll(): void {
    for (const record of [...table.values()]) {
      if (record.wanted === 'running') context.save({ ...record, isUnconfirmed: true }, 'full');
      wakes.advance(record.key, nowMs());
    }
  }

  const releaseIfRemoved = (id: string): void => {
    const member = membership.get(id);
    if (member?.mark.availability === 'removed' && !member.isUp) releaseMember(context, member);
  };

  /** What a removed member held when this process ended. */
  let isReleasedAtStart = false;
  const releaseAtStart = (): void => {
    if (isReleasedAtStart) return;
    isReleasedAtStart = true;
    for (const { id } of [...membership.values()]) releaseIfRemoved(id);
  };

  const retryUnplaced = (): void => {
    if (retryAtMs === undefined || nowMs() < retryAtMs) return;
    retryAtMs = undefined;
    retries.started();
    for (const key of [...table.unplaced()]) decide(key);
    for (const member of [...membership.values()]) {
      if (isLeaving(member)) for (const key of [...member.keys]) decide(key);
    }
  };

  const repeat = (memberId: string, key: InstanceKey): void => {
    decide(key);
    const member = membership.get(memberId);
    if (!isAuthoritative(member) || member.keys.has(key)) return;
    if (member.mirror.get(key) !== undefined) observe(context, member, key);
  };

  for (const id of stored.members) memberOf(id);
  for (const record of stored.records) {
    table.put(record);
    wakes.set(record.key, nowMs());
  }
  for (const [id, mark] of stored.marks ?? []) memberOf(id).mark = mark;
  if (stored.wasRestored === true) epochs.storeWasRestored(stored.counter);
  else if (stored.records.some((record) => record.isUnconfirmed === true)) epochs.learnOn();

  return {
    get incarnation() {
      return epochs.state().incarnation;
    },
    get counter() {
      return epochs.state().counter;
    },

    want: (intent) => want(context, intent),
    unwant: (key) => unwant(context, key),
    deploy: (command) => deploy(context, command),
    remove: (command) => remove(context, command),
    discard: (key) => discard(context, key),
    mint: () => epochs.next({ authority: 0 }).root,
    gaveOut: (number) => epochs.gaveOut(number),
    forget: (key, epoch) => forget(context, key, epoch),

    memberUp: presence.up,
    memberDown(id, reason) {
      presence.down(id, reason);
      releaseIfRemoved(id);
    },
    memberHeard: presence.heard,
    memberFacts(id, facts) {
      const member = memberOf(id);
      const before = member.facts;
      member.facts = facts;
      membership.reconsider(member);
      if (offersMore(before, facts)) mayHaveRoom();
    },
    setAvailability(id, availability) {
      const member = memberOf(id);
      if (member.mark.availability === availability) return;
      member.mark = { availability, at: epochs.state().counter };
      effects.marked(id, availability === 'open' ? null : member.mark);
      membership.reconsider(member);
      releaseIfRemoved(id);
      for (const key of [...member.keys]) decide(key);
      if (availability === 'open') mayHaveRoom();
    },
    receive(id, message) {
      const member = memberOf(id);
      if (receive(context, member, message)) mayHaveRoom();
      presence.reported(member);
    },
    adopt(id, described) {
      const member = membership.get(id);
      if (member !== undefined) adopt(context, member, described);
    },
    selfLate: presence.selfLate,

    tick() {
      const now = nowMs();
      releaseAtStart();
      epochs.tick();
      presence.tick();
      for (const key of wakes.takeDue(now)) decide(key);
      orders.repeatDue(now, ({ member, key }) => repeat(member, key));
      retryUnplaced();
    },
    nextDeadlineMs: () =>
      earliest([
        wakes.nextMs(),
        orders.nextDueMs(),
        epochs.nextDeadlineMs(),
        presence.nextDeadlineMs(),
        retryAtMs,
      ]),
    takeEffects: () => effects.take(),
    record: table.get,
    records: table.values,
    memberState: membership.get,
    members: membership.values,
    isLearning: epochs.isLearning,
  };
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}
