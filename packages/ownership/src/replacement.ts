import { giveMissingValues, orderDeploy, reassert } from './commands.ts';
import type { ArbiterContext } from './context.ts';
import { isLeaving } from './members.ts';
import { choose, PLACED, placedNote } from './placing.ts';
import {
  type InstanceRecord,
  type Placement,
  placementOf,
  withAuthority,
  withPlacements,
  withRole,
} from './record.ts';
import { isServing } from './serving.ts';
import { comparePlacements } from './tier.ts';

/**
 * Starts it elsewhere. The owner stays a legitimate holder until the replacement is ready, unless it must end before
 * that.
 */
export function startReplacement(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  mustOwnerEnd: boolean,
): InstanceRecord {
  const decision = choose(context, record, { excluded: [owner.member] });
  if (decision === undefined) return record;
  const placement: Placement = {
    member: decision.member,
    epoch: context.epochs.next(record),
    role: mustOwnerEnd ? 'owner' : 'replacement',
    ...decision.told,
  };
  const others = mustOwnerEnd ? withRole(record, owner, 'retired').placements : record.placements;
  const placed = withPlacements(withAuthority(context.tier, record, placement.epoch), [
    ...others.filter((other) => other.member !== decision.member),
    placement,
  ]);
  const note = { placement: placedNote(decision.reason) };
  const next: InstanceRecord = mustOwnerEnd
    ? {
        ...placed,
        ...note,
        placementBelow: undefined,
        phase: 'pending',
        status: PLACED[context.tier],
        detail: decision.reason,
      }
    : { ...placed, ...note };
  context.save(next, 'full');
  context.effects.notice({ kind: 'replacing', key: record.key, lost: owner.member, member: decision.member });
  orderDeploy(context, next, placement);
  return next;
}

/** Follows a replacement that is under way, until one of the two is left. */
export function settleReplacement(context: ArbiterContext, record: InstanceRecord): InstanceRecord {
  const owner = placementOf(record, 'owner');
  const replacement = placementOf(record, 'replacement');
  if (replacement === undefined) return record;
  if (owner === undefined) return changeRole(context, record, replacement, 'owner');
  const isUnwantedThere = isLeaving(context.member(owner.member));
  if (!isUnwantedThere && isServing(context, record, owner))
    return cancelReplacement(context, record, owner, replacement);
  const member = context.member(replacement.member);
  if (member === undefined || !member.isUp) return replaceLostReplacement(context, record, replacement);
  if (!member.mirror.isSynced) return record;
  if (isServing(context, record, replacement)) return promote(context, record, owner, replacement);
  const report = member.mirror.get(record.key);
  const isKnownThere =
    report !== undefined &&
    report.phase !== 'removed' &&
    comparePlacements(context.tier, report.epoch, replacement.epoch) >= 0;
  if (isKnownThere) giveMissingValues(context, record, replacement, report);
  else orderDeploy(context, record, replacement);
  return record;
}

/** The replacement is ready, or the owner has nothing any more. */
export function promote(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  replacement: Placement,
): InstanceRecord {
  return changeRole(context, withRole(record, owner, 'retired'), replacement, 'owner');
}

function cancelReplacement(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  replacement: Placement,
): InstanceRecord {
  context.effects.notice({ kind: 'replacement-cancelled', key: record.key, returned: owner.member });
  const { record: next } = reassert(context, withRole(record, replacement, 'retired'), owner);
  context.wake(next.key, context.nowMs());
  return next;
}

function replaceLostReplacement(
  context: ArbiterContext,
  record: InstanceRecord,
  replacement: Placement,
): InstanceRecord {
  const actAfterMs = context.member(replacement.member)?.actAfterMs ?? 0;
  const actAtMs = Math.max(actAfterMs, context.guard.heldUntilMs());
  if (context.nowMs() < actAtMs) {
    context.wake(record.key, actAtMs);
    return record;
  }
  return changeRole(context, record, replacement, 'retired');
}

function changeRole(
  context: ArbiterContext,
  record: InstanceRecord,
  placement: Placement,
  role: Placement['role'],
): InstanceRecord {
  const next = withRole(record, placement, role);
  context.save(next, 'full');
  context.wake(next.key, context.nowMs());
  return next;
}
