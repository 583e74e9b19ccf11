import type { InstanceReport } from '@oakestra/contracts';
import type { ArbiterContext } from './context.ts';
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

/** Takes over what the holder of a placement says of it. An older epoch is not believed, only answered. */
export function believe(
  context: ArbiterContext,
  record: InstanceRecord,
  placement: Placement,
  report: InstanceReport,
): InstanceRecord {
  if (placement.role === 'retired' || report.phase === 'removed') return record;
  if (isOutdated(context, record, placement, report)) return record;
  const order = comparePlacements(context.tier, report.epoch, placement.epoch);
  let next = record;
  if (order > 0) {
    // Only a store that was restored can know less than a holder.
    next = withPlacements(
      withAuthority(
        context.tier,
        { ...next, authority: Math.max(next.authority, report.epoch.root) },
        report.epoch,
      ),
      next.placements.map((other) => (other === placement ? { ...other, epoch: report.epoch } : other)),
    );
  }
  if (placement.role === 'owner') next = observed(context, next, placement.member, report);
  if (next !== record) context.save(next, order > 0 ? 'full' : 'normal');
  return next;
}

/** Does the reporter know less than we do: an older epoch, or an older holder than it told us of before? */
export function isOutdated(
  context: ArbiterContext,
  record: InstanceRecord,
  placement: Placement,
  report: InstanceReport,
): boolean {
  if (comparePlacements(context.tier, report.epoch, placement.epoch) < 0) return true;
  const { lastHolder } = record;
  return (
    context.tier === 'root' &&
    lastHolder?.via === placement.member &&
    lastHolder.epoch.root === report.epoch.root &&
    report.epoch.cluster > 0 &&
    report.epoch.cluster < lastHolder.epoch.cluster
  );
}

function observed(
  context: ArbiterContext,
  record: InstanceRecord,
  memberId: string,
  report: InstanceReport,
): InstanceRecord {
  const workerId = context.tier === 'root' ? (report.workerId ?? null) : memberId;
  const workerAddress = report.workerAddress ?? record.workerAddress;
  const holder = record.lastHolder;
  const isSame =
    record.isUnconfirmed !== true &&
    record.phase === report.phase &&
    record.status === report.status &&
    record.detail === report.detail &&
    record.failures === (report.failures ?? 0) &&
    record.workerId === workerId &&
    record.workerAddress === workerAddress &&
    holder?.epoch.cluster === report.epoch.cluster &&
    holder.epoch.root === report.epoch.root;
  if (isSame) return record;
  return {
    ...record,
    isUnconfirmed: false,
    phase: report.phase,
    status: report.status,
    detail: report.detail,
    failures: report.failures ?? 0,
    workerId,
    workerAddress,
    lastHolder: workerId === null ? holder : { member: workerId, epoch: report.epoch, via: memberId },
    sinceMs: context.wallMs(),
  };
}

/** A member reports an instance that we did not give to it. */
export function meetStranger(
  context: ArbiterContext,
  record: InstanceRecord,
  memberId: string,
  report: InstanceReport,
): void {
  if (report.phase === 'removed') {
    context.order(memberId, { type: 'forget', key: record.key, epoch: report.epoch });
    return;
  }
  context.save(withStranger(context, record, memberId, report), 'full');
}

function withStranger(
  context: ArbiterContext,
  record: InstanceRecord,
  memberId: string,
  report: InstanceReport,
): InstanceRecord {
  if (isNewerThanOurs(context, record, report)) return adoptHolder(record, memberId, report);
  const owner = placementOf(record, 'owner');
  const isUseful = record.wanted === 'running' && report.phase === 'running' && owner !== undefined;
  if (isUseful && !isServing(context, record, owner)) return preferStranger(record, owner, memberId, report);
  return retireStranger(record, memberId, report);
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

/** It runs, and our owner does not yet: as if it had come back before its replacement was ready. */
function preferStranger(
  record: InstanceRecord,
  owner: Placement,
  memberId: string,
  report: InstanceReport,
): InstanceRecord {
  const role = placementOf(record, 'replacement') === undefined ? 'replacement' : 'retired';
  return withPlacements(withRole(record, owner, role), [
    ...withRole(record, owner, role).placements,
    { member: memberId, epoch: report.epoch, role: 'owner' },
  ]);
}

function retireStranger(record: InstanceRecord, memberId: string, report: InstanceReport): InstanceRecord {
  return withPlacements(record, [
    ...record.placements,
    { member: memberId, epoch: report.epoch, role: 'retired' },
  ]);
}
