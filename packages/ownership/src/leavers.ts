import type { Epoch } from '@oakestra/contracts';
import { isBeyond, reassert } from './commands.ts';
import type { ArbiterContext } from './context.ts';
import { isAuthoritative, isEveryoneHeard } from './members.ts';
import { type InstanceRecord, type Placement, placementOf, withoutPlacement } from './record.ts';

/** Placements that must end: of a removed instance all, otherwise the retired ones. */
export function settleLeavers(context: ArbiterContext, start: InstanceRecord): InstanceRecord {
  let record = start;
  for (const placement of start.placements) {
    if (record.wanted === 'running' && placement.role !== 'retired') continue;
    const member = context.member(placement.member);
    if (!isAuthoritative(member)) continue;
    const report = member.mirror.get(record.key);
    // An absent row proves nothing: a deployment may still be on its way to the member.
    const isConfirmed = report?.phase === 'removed' && isBeyond(context, report.epoch, placement.epoch);
    if (isConfirmed) {
      context.order(placement.member, { type: 'forget', key: record.key, epoch: report.epoch });
      record = withoutPlacement(record, placement);
      context.save(record, 'full');
      continue;
    }
    record = orderRemoval(context, record, placement, report?.epoch ?? placement.epoch);
  }
  return record;
}

function orderRemoval(
  context: ArbiterContext,
  record: InstanceRecord,
  placement: Placement,
  heldEpoch: Epoch,
): InstanceRecord {
  return record.wanted === 'removed'
    ? orderByTombstone(context, record, placement, heldEpoch)
    : orderBySuccession(context, record, placement, heldEpoch);
}

function orderByTombstone(
  context: ArbiterContext,
  start: InstanceRecord,
  placement: Placement,
  heldEpoch: Epoch,
): InstanceRecord {
  let record = start;
  let proof = record.tombstone ?? { root: record.authority, cluster: 0 };
  // Only the root may raise a tombstone: at a cluster a newer holder means that the root will decide again.
  if (isBeyond(context, heldEpoch, proof)) {
    if (context.tier !== 'root') return record;
    proof = context.epochs.next(record);
    record = { ...record, tombstone: proof, authority: proof.root };
    context.save(record, 'full');
  }
  context.order(placement.member, { type: 'remove', key: record.key, epoch: proof, reason: 'tombstone' });
  return record;
}

function orderBySuccession(
  context: ArbiterContext,
  start: InstanceRecord,
  placement: Placement,
  heldEpoch: Epoch,
): InstanceRecord {
  let record = start;
  let owner = placementOf(record, 'owner') ?? placementOf(record, 'replacement');
  if (owner === undefined) return record;
  if (isBeyond(context, heldEpoch, owner.epoch)) {
    ({ record, placement: owner } = reassert(context, record, owner));
  }
  context.order(placement.member, {
    type: 'remove',
    key: record.key,
    epoch: owner.epoch,
    reason: 'superseded',
  });
  return record;
}

/** The end of a removal: nobody holds it any more. */
export function finishRemoval(context: ArbiterContext, record: InstanceRecord): void {
  if (record.placements.length > 0) return;
  if (context.tier === 'root') {
    // A store that was restored does not know who holds it: each member is asked first.
    if (record.isUnconfirmed === true && !isEveryoneHeard(context)) {
      context.wake(record.key, context.nowMs() + context.timing.resendCapMs);
      return;
    }
    context.erase(record);
    context.effects.notice({ kind: 'removed', key: record.key });
    return;
  }
  if (record.phase === 'removed') return;
  // A store that was lost does not know who holds it: they get the time to come forward.
  if (record.isUnconfirmed === true && context.epochs.isLearning()) {
    context.wake(record.key, context.epochs.learningUntilMs());
    return;
  }
  // A cluster keeps the confirmation until the root has it.
  context.save(
    { ...record, phase: 'removed', status: 'UNDEPLOYED', detail: '', sinceMs: context.wallMs() },
    'full',
  );
  context.effects.notice({ kind: 'removed', key: record.key });
}
