import type { InstanceKey, InstanceReport } from '@oakestra/contracts';
import type { ArbiterContext } from './context.ts';
import { isOver } from './leaving.ts';
import { isAuthoritative, type Member } from './members.ts';
import { policyOf } from './policy.ts';
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

/** Members that report an instance which, as far as our store knows, was not given to them. */
export interface Strangers {
  note(member: Member, key: InstanceKey): void;
  /** Decides about those of one instance, as far as that can be decided now. */
  review(key: InstanceKey): void;
}

export function createStrangers(context: ArbiterContext): Strangers {
  const waiting = new Map<InstanceKey, Set<Member>>();

  /** True: settled. */
  const meet = (key: InstanceKey, member: Member): boolean => {
    const record = context.record(key);
    if (record === undefined || !member.isUp || member.keys.has(key)) return true;
    if (!member.mirror.isSynced) return false;
    const report = member.mirror.get(key);
    if (report === undefined) return true;
    if (report.phase === 'removed') {
      context.order(member.id, { type: 'forget', key, epoch: report.epoch });
      return true;
    }
    const next = withStranger(context, record, member.id, report);
    if (next !== undefined) context.save(next, 'full');
    return next !== undefined;
  };

  return {
    note(member, key) {
      const members = waiting.get(key) ?? new Set<Member>();
      members.add(member);
      waiting.set(key, members);
    },
    review(key) {
      const members = waiting.get(key);
      if (members === undefined) return;
      for (const member of members) if (meet(key, member)) members.delete(member);
      if (members.size === 0) waiting.delete(key);
    },
  };
}

/** Undefined: it depends on an owner that has yet to be heard. */
function withStranger(
  context: ArbiterContext,
  record: InstanceRecord,
  memberId: string,
  report: InstanceReport,
): InstanceRecord | undefined {
  // A removed member has no claim, but what it runs is left alone until somebody else runs it.
  const isRemoved = context.member(memberId)?.mark.availability === 'removed';
  const isUnclaimed = record.placements.every(({ role }) => role === 'retired');
  if (isRemoved && isUnclaimed) {
    // Of a job that is not tried again this is the one run that there was.
    const isOnlyRun = policyOf(record.document).isAtMostOnce || isOver(record);
    return isOnlyRun ? reclaim(context, record, memberId, report) : retire(record, memberId, report);
  }
  if (isNewerThanOurs(context, record, report)) {
    // Nobody has it since its cluster was removed, and numbers only rise.
    const isOlder = context.tier === 'root' && report.epoch.root < record.authority;
    const isLeftover = record.wanted === 'running' && isUnclaimed && isOlder;
    return isLeftover ? reclaim(context, record, memberId, report) : adoptHolder(record, memberId, report);
  }
  const owner = placementOf(record, 'owner');
  if (isRemoved || record.wanted === 'removed' || report.phase !== 'running' || owner === undefined) {
    return retire(record, memberId, report);
  }
  // Where two are worse than none, the newer number decides alone.
  if (policyOf(record.document).onDisconnect.kind !== 'replace') return retire(record, memberId, report);
  const member = context.member(owner.member);
  if (!isAuthoritative(member) && mayStillCome(context, record, member)) return undefined;
  return isServing(context, record, owner)
    ? retire(record, memberId, report)
    : prefer(context, record, owner, memberId);
}

function mayStillCome(context: ArbiterContext, record: InstanceRecord, owner: Member | undefined): boolean {
  if (owner === undefined) return false;
  if (owner.isUp) return true;
  const untilMs = Math.max(owner.actAfterMs, context.guard.heldUntilMs());
  if (context.nowMs() >= untilMs) return false;
  context.wake(record.key, untilMs);
  return true;
}

/** Does the report prove that its sender was made the owner after what our store remembers? */
function isNewerThanOurs(context: ArbiterContext, record: InstanceRecord, report: InstanceReport): boolean {
  if (record.wanted === 'running') {
    const holder = placementOf(record, 'owner') ?? placementOf(record, 'replacement');
    return holder === undefined || comparePlacements(context.tier, report.epoch, holder.epoch) > 0;
  }
  if (context.tier === 'root' && !record.isTombstoneLearned) return false;
  if (record.tombstone === null) return true;
  const order = comparePlacements(context.tier, report.epoch, record.tombstone);
  // What looks like a tombstone below is also left by a move; then the new holder has its very number.
  return order > 0 || (order === 0 && record.isTombstoneLearned);
}

function adoptHolder(record: InstanceRecord, memberId: string, report: InstanceReport): InstanceRecord {
  return {
    ...record,
    wanted: 'running',
    tombstone: null,
    isTombstoneLearned: false,
    isUnconfirmed: false,
    authority: Math.max(record.authority, report.epoch.root),
    placements: [
      ...record.placements.map((other) => ({ ...other, role: 'retired' as const })),
      { member: memberId, epoch: report.epoch, role: 'owner' },
    ],
  };
}

function reclaim(
  context: ArbiterContext,
  record: InstanceRecord,
  memberId: string,
  report: InstanceReport,
): InstanceRecord {
  const isNewest = report.epoch.root >= record.authority && report.epoch.root > 0;
  const epoch = isNewest ? report.epoch : context.epochs.next(record);
  const owner = { member: memberId, epoch, role: 'owner' as const };
  return withPlacements(withAuthority(context.tier, record, epoch), [...record.placements, owner]);
}

/** It runs, and our owner does not. */
function prefer(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  memberId: string,
): InstanceRecord {
  return withPlacements(record, [
    ...withRole(record, owner, 'retired').placements,
    // A number of its own: it is the newest owner now, whatever it had before.
    { member: memberId, epoch: context.epochs.next(record), role: 'owner' },
  ]);
}

function retire(record: InstanceRecord, memberId: string, report: InstanceReport): InstanceRecord {
  return withPlacements(record, [
    ...record.placements,
    { member: memberId, epoch: report.epoch, role: 'retired' },
  ]);
}
