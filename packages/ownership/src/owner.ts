import { type InstanceReport, isGlobal } from '@oakestra/contracts';
import { believe, isOutdated } from './believe.ts';
import { giveMissingValues, orderDeploy, reassert } from './commands.ts';
import type { ArbiterContext } from './context.ts';
import { giveUp, mustWait } from './doubt.ts';
import { fenceMsOf, isNeverFenced } from './epochs.ts';
import { isLeaving, type Member } from './members.ts';
import { policyOf } from './policy.ts';
import { type InstanceRecord, type Placement, placementOf, withRole } from './record.ts';
import { promote, startReplacement } from './replacement.ts';
import { comparePlacements } from './tier.ts';

/** Compares what the owner reports with what it should hold. */
export function settleOwner(context: ArbiterContext, start: InstanceRecord): InstanceRecord {
  const owner = placementOf(start, 'owner');
  if (owner === undefined) return start;
  const member = context.member(owner.member);
  if (member === undefined || !member.isUp) return suspectOwner(context, start, owner);
  if (!member.mirror.isSynced) return start;
  const report = member.mirror.get(start.key);
  if (report === undefined) return ownerHasNothing(context, start, owner, member);
  const order = comparePlacements(context.tier, report.epoch, owner.epoch);
  // A cluster makes and removes the instances of a global service by itself.
  const isItsOwn = context.tier === 'root' && isGlobal(start.document);
  if (report.phase === 'removed' && (order > 0 || (isItsOwn && order === 0)))
    return ownerKnowsBetter(context, start, owner, report);
  const isLess = isOutdated(context, start, owner, report);
  if (isLess || report.phase === 'removed') return deployAgain(context, start, owner, member);
  // Also what it said before it became the owner.
  const record = believe(context, start, owner, report);
  const placement = placementOf(record, 'owner') ?? owner;
  const isBehind = placement.epoch.root < record.authority;
  const mayRunAgain = report.phase === 'fenced' && !policyOf(record.document).isAtMostOnce;
  if (context.tier === 'cluster' && (isBehind || mayRunAgain)) {
    // Being told again starts what does not run.
    if (report.phase !== 'running' && mustWait(context, record)) return record;
    return reassert(context, record, placement).record;
  }
  giveMissingValues(context, record, placement, report);
  return moveWhenItKeepsFailing(context, record, placement, report);
}

function ownerHasNothing(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  member: Member,
): InstanceRecord {
  if (mustWait(context, record)) return record;
  const replacement = placementOf(record, 'replacement');
  // It may have yet to obey; what it holds is moved away in any case.
  if (replacement !== undefined && isLeaving(member)) return record;
  // The owner came back empty: the replacement, already under way, takes over. Not so when the owner came back with
  // another store: it may have yet to learn what it runs.
  const isSameStore = owner.incarnation !== undefined && owner.incarnation === member.incarnation;
  if (replacement !== undefined && isSameStore) return promote(context, record, owner, replacement);
  const { isOneShot, isAtMostOnce } = policyOf(record.document);
  if (isOneShot && record.phase === 'completed') return record;
  if (isAtMostOnce && record.lastHolder !== null) return giveUp(context, record, owner.member);
  return deployAgain(context, record, owner, member);
}

/** Repeats the order; not when it may have been obeyed, and our store or the member's is another one since. */
function deployAgain(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  member: Member,
): InstanceRecord {
  const isToldHolder = record.lastHolder !== null;
  const isOtherStore = owner.incarnation !== member.incarnation;
  if (!isToldHolder && (isOtherStore || record.isUnconfirmed === true)) {
    // The workers of a cluster that lost its store get the time to come forward.
    const mayActAtMs = member.upSinceMs + context.timing.strangeStoreMs;
    if (context.tier === 'root' && context.nowMs() < mayActAtMs) {
      context.wake(record.key, mayActAtMs);
      return record;
    }
    if (policyOf(record.document).isAtMostOnce) return giveUp(context, record, owner.member);
  }
  orderDeploy(context, record, owner);
  return record;
}

/** The owner has proof that something newer than our record exists: our store is the older one. */
function ownerKnowsBetter(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  report: InstanceReport,
): InstanceRecord {
  // Tombstones come from the root; a number of ours in the epoch says that another of our members took over.
  const isSucceeded = context.tier === 'cluster' && report.epoch.cluster > 0;
  // It was moved from there in a life of our store that is lost: it is wanted, and who got it may yet come forward.
  const isMoved = context.tier === 'root' && report.superseded === true;
  const retired = withRole(record, owner, 'retired');
  const next: InstanceRecord = isSucceeded
    ? retired
    : isMoved
      ? { ...retired, isUnconfirmed: true }
      : {
          ...record,
          wanted: 'removed',
          tombstone: report.epoch,
          isTombstoneLearned: true,
          authority: Math.max(record.authority, report.epoch.root),
        };
  context.save(next, 'full');
  context.wake(next.key, context.nowMs());
  return next;
}

function suspectOwner(context: ArbiterContext, record: InstanceRecord, owner: Placement): InstanceRecord {
  const policy = policyOf(record.document);
  if (placementOf(record, 'replacement') !== undefined) return record;
  if (policy.isAtMostOnce || record.phase === 'completed') return record;
  if (isNeverFenced(context.tier, policy.onDisconnect)) return record;
  if (mustWait(context, record)) return record;
  const member = context.member(owner.member);
  const nowMs = context.nowMs();
  let actAtMs = Math.max(member?.actAfterMs ?? nowMs, context.guard.heldUntilMs());
  if (policy.onDisconnect.kind === 'stop-after') {
    actAtMs = Math.max(actAtMs, (member?.lastHeardMs ?? nowMs) + fenceMsOf(record, context.timing));
  }
  if (nowMs < actAtMs) {
    context.wake(record.key, actAtMs);
    return record;
  }
  const eviction = context.guard.takeEviction(nowMs);
  if (!eviction.isAllowed) {
    context.wake(record.key, eviction.retryAtMs);
    return record;
  }
  return startReplacement(context, record, owner, policy.onDisconnect.kind === 'stop-after');
}

/** A start that fails again and again on one member is tried on another; whoever runs first keeps it. */
function moveWhenItKeepsFailing(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  report: InstanceReport,
): InstanceRecord {
  const isStuck = report.phase === 'failed' && (report.failures ?? 0) >= context.timing.failuresBeforeMove;
  if (!isStuck || placementOf(record, 'replacement') !== undefined || policyOf(record.document).isOneShot)
    return record;
  if (context.tier === 'root' || context.membership.candidates().length < 2) return record;
  return startReplacement(context, record, owner, policyOf(record.document).onDisconnect.kind !== 'replace');
}
