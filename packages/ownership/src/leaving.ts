import { isGlobal } from '@oakestra/contracts';
import type { ArbiterContext } from './context.ts';
import { mustWait } from './doubt.ts';
import { isAuthoritative, isLeaving, type Member } from './members.ts';
import { isSameNote } from './placing.ts';
import { policyOf } from './policy.ts';
import { type InstanceRecord, placementOf, withPlacements } from './record.ts';
import { startReplacement } from './replacement.ts';

/**
 * An instance whose owner is drained gets a replacement elsewhere. The owner stays the legitimate holder until that is
 * ready; where two are worse than none, it ends first. What has nowhere to go stays.
 */
export function leaveOwner(context: ArbiterContext, record: InstanceRecord): InstanceRecord {
  const owner = placementOf(record, 'owner');
  const member = owner === undefined ? undefined : context.member(owner.member);
  if (owner === undefined || !isLeaving(member) || !isAuthoritative(member)) return record;
  if (placementOf(record, 'replacement') !== undefined || mustWait(context, record)) return record;
  // Its cluster made it for one of its workers, and does not make it again while it is left.
  if (isGlobal(record.document)) return ended(context, record);
  const { isOneShot, isAtMostOnce, onDisconnect } = policyOf(record.document);
  const hasBegun = record.phase !== 'pending' && record.phase !== 'failed';
  if (isAtMostOnce || (isOneShot && hasBegun)) return stays(context, record);
  const eviction = context.guard.takeEviction(context.nowMs());
  if (!eviction.isAllowed) {
    context.wake(record.key, eviction.retryAtMs);
    return record;
  }
  const next = startReplacement(context, record, owner, onDisconnect.kind !== 'replace');
  if (next === record) return context.record(record.key) ?? record;
  context.wake(next.key, context.nowMs());
  return next;
}

function ended(context: ArbiterContext, record: InstanceRecord): InstanceRecord {
  const tombstone = context.epochs.next(record);
  const next: InstanceRecord = { ...record, wanted: 'removed', tombstone, authority: tombstone.root };
  context.save(next, 'full');
  context.wake(next.key, context.nowMs());
  return next;
}

/** Nothing of it will run again, whoever has it. */
export function isOver(record: InstanceRecord): boolean {
  const { isOneShot, isAtMostOnce } = policyOf(record.document);
  return (isOneShot && record.phase === 'completed') || (isAtMostOnce && record.phase === 'dead');
}

const JOB_STAYS = {
  code: 'stays',
  reason: 'A job that has begun is not moved: it ends where it is',
  rejections: [],
};

function stays(context: ArbiterContext, record: InstanceRecord): InstanceRecord {
  if (record.phase === 'completed' || isSameNote(record.placement, JOB_STAYS)) return record;
  const next: InstanceRecord = { ...record, placement: JOB_STAYS };
  context.save(next, 'normal');
  return next;
}

/**
 * A removed member is not there (any more): its claims are dropped, on the word of the operator that nothing of it
 * counts, and what it held is given to others by their own rules. What it brings back one day is a stranger's.
 */
export function releaseMember(context: ArbiterContext, member: Member): void {
  for (const key of [...member.keys]) {
    const record = context.record(key);
    if (record !== undefined) context.save(released(context, record, member), 'full');
    context.decide(key);
  }
}

function released(context: ArbiterContext, record: InstanceRecord, member: Member): InstanceRecord {
  const isOwned = placementOf(record, 'owner')?.member === member.id;
  const next = withPlacements(
    record,
    record.placements.filter((placement) => placement.member !== member.id),
  );
  if (!isOwned || record.wanted === 'removed' || record.phase === 'completed') return next;
  if (isGlobal(record.document)) {
    const tombstone = context.epochs.next(record);
    return { ...next, wanted: 'removed', tombstone, authority: tombstone.root };
  }
  const sinceMs = context.wallMs();
  // Nobody knows whether it ran: it is given up.
  if (policyOf(record.document).isAtMostOnce) return { ...next, phase: 'dead', status: 'DEAD', sinceMs };
  return {
    ...next,
    phase: 'pending',
    status: 'REQUESTED',
    detail: 'The cluster that had it was removed',
    failures: 0,
    lastHolder: null,
    workerId: null,
    workerAddress: null,
    sinceMs,
  };
}
