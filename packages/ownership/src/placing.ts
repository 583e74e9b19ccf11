import { orderDeploy } from './commands.ts';
import type { ArbiterContext } from './context.ts';
import { giveUp, mayHaveUnknownHolder, mustWait } from './doubt.ts';
import { policyOf } from './policy.ts';
import { type InstanceRecord, type Placement, placementOf, withAuthority, withPlacements } from './record.ts';
import type { CandidateMember, PlacementNote, Rejection } from './schedule.ts';

/** What a record says while its new owner has not reported yet. */
export const PLACED = { root: 'CLUSTER_SCHEDULED', cluster: 'NODE_SCHEDULED' } as const;

/** Gives an instance that nobody owns to a member. */
export function placeOwner(context: ArbiterContext, record: InstanceRecord): void {
  if (mustWait(context, record) || mayHaveUnknownHolder(context, record)) return;
  // A job that is done does not run again because its place is gone.
  if (record.phase === 'completed' && policyOf(record.document).isOneShot) return;
  if (policyOf(record.document).isAtMostOnce && mayHaveRun(record)) {
    giveUp(context, record, record.lastHolder?.member ?? '');
    return;
  }
  const retired = record.placements.filter((placement) => placement.role === 'retired');
  const avoided = retired.map((placement) => placement.member);
  const decision = choose(context, record, { avoided });
  if (decision === undefined) return;
  const placement: Placement = {
    member: decision.member,
    epoch: context.epochs.next(record),
    role: 'owner',
    ...decision.told,
  };
  const next: InstanceRecord = {
    ...withPlacements(withAuthority(context.tier, record, placement.epoch), [
      ...record.placements.filter((other) => other.member !== decision.member),
      placement,
    ]),
    isUnconfirmed: false,
    phase: 'pending',
    status: PLACED[context.tier],
    detail: decision.reason,
    placement: placedNote(decision.reason),
    placementBelow: undefined,
    failures: 0,
    sinceMs: context.wallMs(),
  };
  context.save(next, 'full');
  context.effects.notice({
    kind: 'placed',
    key: record.key,
    member: decision.member,
    reason: decision.reason,
  });
  orderDeploy(context, next, placement);
  // Now there is a proof against those that must end.
  if (retired.length > 0) context.wake(next.key, context.nowMs());
}

/** It had a holder, or had the time to get one that our store does not know of. */
function mayHaveRun(record: InstanceRecord): boolean {
  return record.lastHolder !== null || record.isUnconfirmed === true || record.phase !== 'pending';
}

const NOBODY_OPEN = {
  root: 'Every cluster that could take it is cordoned or drained',
  cluster: 'Every worker that could take it is cordoned or drained',
} as const;

/** Members that are there and get nothing new. */
function closedMembers(context: ArbiterContext): Rejection[] {
  const closed: Rejection[] = [];
  for (const { id, isUp, mark } of context.membership.values()) {
    const { availability: code } = mark;
    if (isUp && (code === 'cordoned' || code === 'draining')) {
      closed.push({ member: id, code, reason: `it is ${code === 'draining' ? 'being drained' : code}` });
    }
  }
  return closed;
}

/** More of the same teaches nothing. */
const MOST_REJECTIONS = 50;

export const placedNote = (reason: string): PlacementNote => ({ code: 'placed', reason, rejections: [] });

export function isSameNote(a: PlacementNote | undefined, b: PlacementNote | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

interface Decision {
  readonly member: string;
  readonly reason: string;
  readonly told: Pick<Placement, 'incarnation'>;
}

/** Asks the scheduler; when nothing fits, records why and tries again later. */
export function choose(
  context: ArbiterContext,
  record: InstanceRecord,
  {
    excluded = [],
    avoided = [],
  }: {
    readonly excluded?: readonly string[];
    /** Only when nobody else will do. */
    readonly avoided?: readonly string[];
  },
): Decision | undefined {
  const backoff = context.backoff(record.key);
  if (context.nowMs() < backoff.notBeforeMs()) {
    // What woke us may have taken the place of the wake that was set at the last failure.
    context.wake(record.key, backoff.notBeforeMs());
    return undefined;
  }
  const all = context.membership.candidates();
  const among = (members: readonly string[]): readonly CandidateMember[] =>
    members.length === 0 ? all : all.filter(({ id }) => !members.includes(id));
  const candidates = among(excluded);
  const { document, key } = record;
  let decision = context.schedule({ key, document, candidates: among([...excluded, ...avoided]) });
  if (decision.kind === 'none' && avoided.length > 0)
    decision = context.schedule({ key, document, candidates });
  if (decision.kind === 'chosen') {
    backoff.reset();
    const incarnation = context.member(decision.member)?.incarnation;
    const told = incarnation === undefined ? {} : { incarnation };
    return { member: decision.member, reason: decision.reason, told };
  }
  context.wake(record.key, backoff.failed());
  const { status } = decision;
  const closed = closedMembers(context);
  const isOnlyClosed = candidates.length === 0 && closed.length > 0;
  const detail = isOnlyClosed ? NOBODY_OPEN[context.tier] : decision.detail;
  const rejections = [...(decision.rejections ?? []), ...closed].slice(0, MOST_REJECTIONS);
  const code = rejections.length === 0 ? 'nobody-there' : 'nobody-fits';
  const note: PlacementNote = { code, reason: detail, rejections };
  // An instance that still has an owner keeps the status of the owner.
  const hasOwner = placementOf(record, 'owner') !== undefined;
  const isNew = !hasOwner && (record.status !== status || record.detail !== detail);
  const told = isNew ? { status, detail, sinceMs: context.wallMs() } : {};
  if (isNew || !isSameNote(record.placement, note)) {
    context.save({ ...record, ...told, placement: note }, 'normal');
  }
  return undefined;
}
