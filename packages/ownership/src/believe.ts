import type { InstanceReport } from '@oakestra/contracts';
import { type ArbiterContext, comparePlacements, withPlacements } from './context.ts';
import { withAuthority } from './reconcile.ts';
import { type InstanceRecord, type Placement, placementOf } from './record.ts';

/** Takes over what the holder of a placement says of it. An older epoch is not believed, only answered. */
export function believe(
  context: ArbiterContext,
  record: InstanceRecord,
  placement: Placement,
  report: InstanceReport,
): InstanceRecord {
  if (placement.role === 'retired' || report.phase === 'removed') return record;
  const order = comparePlacements(context.tier, report.epoch, placement.epoch);
  if (order < 0) return record;
  let next = record;
  if (order > 0) {
    // Only a store that was restored can know less than a holder.
    next = withPlacements(
      withAuthority(
        context,
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

function observed(
  context: ArbiterContext,
  record: InstanceRecord,
  memberId: string,
  report: InstanceReport,
): InstanceRecord {
  const workerId = context.tier === 'root' ? (report.workerId ?? null) : memberId;
  const workerAddress = report.workerAddress ?? record.workerAddress;
  const isSame =
    record.phase === report.phase &&
    record.status === report.status &&
    record.detail === report.detail &&
    record.failures === (report.failures ?? 0) &&
    record.workerId === workerId &&
    record.workerAddress === workerAddress &&
    record.lastHolder?.epoch.cluster === report.epoch.cluster &&
    record.lastHolder.epoch.root === report.epoch.root;
  if (isSame) return record;
  return {
    ...record,
    phase: report.phase,
    status: report.status,
    detail: report.detail,
    failures: report.failures ?? 0,
    workerId,
    workerAddress,
    lastHolder:
      workerId === null ? record.lastHolder : { member: workerId, epoch: report.epoch, via: memberId },
    sinceMs: context.wallMs(),
  };
}

/** A member reports an instance that we did not give to it. */
export function meetStranger(
  context: ArbiterContext,
  record: InstanceRecord,
  memberId: string,
  report: InstanceReport,
): InstanceRecord {
  if (report.phase === 'removed') {
    context.order(memberId, { type: 'forget', key: record.key, epoch: report.epoch });
    return record;
  }
  const holder = placementOf(record, 'owner') ?? placementOf(record, 'replacement');
  const reference = record.wanted === 'removed' ? record.tombstone : (holder?.epoch ?? null);
  const isNewer = reference === null || comparePlacements(context.tier, report.epoch, reference) > 0;
  const mayAdopt = record.wanted === 'running' || record.isTombstoneLearned || context.tier === 'cluster';
  const next =
    isNewer && mayAdopt ? adoptHolder(record, memberId, report) : retireStranger(record, memberId, report);
  context.save(next, 'full');
  return next;
}

function adoptHolder(record: InstanceRecord, memberId: string, report: InstanceReport): InstanceRecord {
  return {
    ...record,
    wanted: 'running',
    tombstone: null,
    isTombstoneLearned: false,
    authority: Math.max(record.authority, report.epoch.root),
    placements: [
      ...record.placements.map((other) => ({ ...other, role: 'retired' as const })),
      { member: memberId, epoch: report.epoch, role: 'owner' },
    ],
  };
}

function retireStranger(record: InstanceRecord, memberId: string, report: InstanceReport): InstanceRecord {
  return withPlacements(record, [
    ...record.placements,
    { member: memberId, epoch: report.epoch, role: 'retired' },
  ]);
}
