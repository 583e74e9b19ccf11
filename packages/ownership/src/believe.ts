import type { InstanceReport } from '@oakestra/contracts';
import type { ArbiterContext } from './context.ts';
import { isSameNote } from './placing.ts';
import { type InstanceRecord, type Placement, withAuthority, withPlacements } from './record.ts';
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
    isSameNote(record.placementBelow, report.placement) &&
    record.workerId === workerId &&
    record.workerAddress === workerAddress &&
    holder?.epoch.cluster === report.epoch.cluster &&
    holder.epoch.root === report.epoch.root;
  if (isSame) return record;
  return {
    ...record,
    placementBelow: report.placement,
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
