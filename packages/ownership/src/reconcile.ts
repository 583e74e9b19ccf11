import type { Epoch, InstanceReport } from '@oakestra/contracts';
import { type ArbiterContext, comparePlacements, withoutPlacement, withPlacements } from './context.ts';
import { isAuthoritative } from './members.ts';
import { policyOf } from './policy.ts';
import { type InstanceRecord, type Placement, placementOf } from './record.ts';

/**
 * Closes the difference between what is wanted of one instance and what its holders report. Level-triggered and
 * idempotent: called after every event that may concern the instance, and again when a timer asks for it.
 */
export function reconcile(context: ArbiterContext, start: InstanceRecord): void {
  let record = settleLeavers(context, start);
  if (record.wanted === 'removed') {
    finishRemoval(context, record);
    return;
  }
  record = settleOwner(context, record);
  if (record.wanted === 'removed') return;
  record = settleReplacement(context, record);
  if (placementOf(record, 'owner') === undefined) placeOwner(context, record);
}

/** Placements that must end: of a removed instance all, otherwise the retired ones. */
function settleLeavers(context: ArbiterContext, start: InstanceRecord): InstanceRecord {
  let record = start;
  for (const placement of start.placements) {
    if (record.wanted === 'running' && placement.role !== 'retired') continue;
    const member = context.member(placement.member);
    if (!isAuthoritative(member)) continue;
    const report = member.mirror.get(record.key);
    // An absent row proves nothing: a deployment may still be on its way to the member.
    const isConfirmed =
      report?.phase === 'removed' && comparePlacements(context.tier, report.epoch, placement.epoch) >= 0;
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
  start: InstanceRecord,
  placement: Placement,
  heldEpoch: Epoch,
): InstanceRecord {
  let record = start;
  if (record.wanted === 'removed') {
    let proof = record.tombstone ?? { root: record.authority, cluster: 0 };
    // Only the root may raise a tombstone: at a cluster a newer holder means that the root will decide again.
    if (comparePlacements(context.tier, heldEpoch, proof) >= 0) {
      if (context.tier !== 'root') return record;
      proof = context.nextEpoch(record);
      record = { ...record, tombstone: proof, authority: proof.root };
      context.save(record, 'full');
    }
    context.order(placement.member, { type: 'remove', key: record.key, epoch: proof, reason: 'tombstone' });
    return record;
  }
  const owner = placementOf(record, 'owner') ?? placementOf(record, 'replacement');
  if (owner === undefined) return record;
  let proof = owner.epoch;
  if (comparePlacements(context.tier, heldEpoch, proof) >= 0) {
    record = reassert(context, record, owner);
    proof = placementOf(record, owner.role)?.epoch ?? proof;
  }
  context.order(placement.member, { type: 'remove', key: record.key, epoch: proof, reason: 'superseded' });
  return record;
}

function finishRemoval(context: ArbiterContext, record: InstanceRecord): void {
  if (record.placements.length > 0) return;
  if (context.tier === 'root') {
    context.erase(record);
    context.effects.notice({ kind: 'removed', key: record.key });
  } else if (record.phase !== 'removed') {
    // A cluster keeps the confirmation until the root has it.
    context.save(
      { ...record, phase: 'removed', status: 'UNDEPLOYED', detail: '', sinceMs: context.wallMs() },
      'full',
    );
    context.effects.notice({ kind: 'removed', key: record.key });
  }
}

/** Gives a placement a newer epoch, so that it is the proof against an older one. */
function reassert(context: ArbiterContext, record: InstanceRecord, placement: Placement): InstanceRecord {
  const epoch = context.nextEpoch(record);
  const next = withPlacements(
    withAuthority(context, record, epoch),
    record.placements.map((other) => (other === placement ? { ...other, epoch } : other)),
  );
  context.save(next, 'full');
  orderDeploy(context, next, { ...placement, epoch });
  return next;
}

export function withAuthority(
  context: Pick<ArbiterContext, 'tier'>,
  record: InstanceRecord,
  epoch: Epoch,
): InstanceRecord {
  return context.tier === 'root' ? { ...record, authority: Math.max(record.authority, epoch.root) } : record;
}

function orderDeploy(context: ArbiterContext, record: InstanceRecord, placement: Placement): void {
  // Only what this very member reported: workers of another cluster mean nothing to it.
  const isFromMember = context.tier === 'root' && record.lastHolder?.via === placement.member;
  const holder = isFromMember
    ? { member: record.lastHolder.member, epoch: record.lastHolder.epoch }
    : undefined;
  context.order(placement.member, {
    type: 'deploy',
    key: record.key,
    epoch: placement.epoch,
    document: record.document,
    ownerUserId: record.ownerUserId,
    ...(holder === undefined ? {} : { lastHolder: holder }),
  });
}

function settleOwner(context: ArbiterContext, start: InstanceRecord): InstanceRecord {
  const owner = placementOf(start, 'owner');
  if (owner === undefined) return start;
  const member = context.member(owner.member);
  if (member === undefined || !member.isUp) return suspectOwner(context, start, owner);
  if (!member.mirror.isSynced) return start;
  const report = member.mirror.get(start.key);
  if (report === undefined) return ownerHasNothing(context, start, owner);
  const order = comparePlacements(context.tier, report.epoch, owner.epoch);
  if (report.phase === 'removed' && order > 0) return learnRemoval(context, start, report);
  if (order < 0 || report.phase === 'removed') {
    orderDeploy(context, start, owner);
    return start;
  }
  const isBehind = context.tier === 'cluster' && owner.epoch.root < start.authority;
  if (isBehind || report.phase === 'fenced') return reassert(context, start, owner);
  return moveWhenItKeepsFailing(context, start, owner, report);
}

function ownerHasNothing(context: ArbiterContext, record: InstanceRecord, owner: Placement): InstanceRecord {
  if (context.isLearning()) {
    context.wake(record.key, context.learningUntilMs());
    return record;
  }
  const policy = policyOf(record.document);
  const replacement = placementOf(record, 'replacement');
  if (replacement !== undefined) {
    // The owner came back empty: the replacement, already under way, takes over.
    return promote(context, record, owner, replacement);
  }
  if (policy.isAtMostOnce && record.lastHolder !== null) return record;
  orderDeploy(context, record, owner);
  return record;
}

/** The member knows of a newer removal than we do: our store is the older one. Nothing is stopped by this. */
function learnRemoval(
  context: ArbiterContext,
  record: InstanceRecord,
  report: InstanceReport,
): InstanceRecord {
  const next: InstanceRecord = {
    ...record,
    wanted: 'removed',
    tombstone: report.epoch,
    isTombstoneLearned: true,
    authority: Math.max(record.authority, report.epoch.root),
  };
  context.save(next, 'full');
  context.wake(record.key, context.nowMs());
  return next;
}

function suspectOwner(context: ArbiterContext, record: InstanceRecord, owner: Placement): InstanceRecord {
  const policy = policyOf(record.document);
  if (placementOf(record, 'replacement') !== undefined) return record;
  if (policy.isAtMostOnce || policy.onDisconnect.kind === 'wait' || record.phase === 'completed')
    return record;
  const member = context.member(owner.member);
  const nowMs = context.nowMs();
  let actAtMs = Math.max(member?.actAfterMs ?? nowMs, context.guard.heldUntilMs(), context.learningUntilMs());
  if (policy.onDisconnect.kind === 'stop-after') {
    const fencedAtMs =
      (member?.lastHeardMs ?? nowMs) + policy.onDisconnect.afterMs + context.timing.fenceMarginMs;
    actAtMs = Math.max(actAtMs, fencedAtMs);
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

function startReplacement(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  isOwnerFenced: boolean,
): InstanceRecord {
  const decision = choose(context, record, [owner.member]);
  if (decision === undefined) return record;
  const epoch = context.nextEpoch(record);
  const placement: Placement = {
    member: decision.member,
    epoch,
    role: isOwnerFenced ? 'owner' : 'replacement',
  };
  const others = isOwnerFenced
    ? record.placements.map((other) => (other === owner ? { ...other, role: 'retired' as const } : other))
    : record.placements;
  const next = withPlacements(withAuthority(context, record, epoch), [
    ...others.filter((other) => other.member !== decision.member),
    placement,
  ]);
  context.save(next, 'full');
  context.effects.notice({ kind: 'replacing', key: record.key, lost: owner.member, member: decision.member });
  orderDeploy(context, next, placement);
  return next;
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
  if (context.tier === 'root' || context.upMembers().length < 2) return record;
  return startReplacement(context, record, owner, false);
}

function settleReplacement(context: ArbiterContext, record: InstanceRecord): InstanceRecord {
  const owner = placementOf(record, 'owner');
  const replacement = placementOf(record, 'replacement');
  if (replacement === undefined) return record;
  if (owner === undefined) {
    const next = withPlacements(
      record,
      record.placements.map((other) =>
        other === replacement ? { ...other, role: 'owner' as const } : other,
      ),
    );
    context.save(next, 'full');
    return next;
  }
  const ownerMember = context.member(owner.member);
  if (isAuthoritative(ownerMember)) {
    const report = ownerMember.mirror.get(record.key);
    const isBack =
      report !== undefined &&
      comparePlacements(context.tier, report.epoch, owner.epoch) >= 0 &&
      (report.phase === 'running' || report.phase === 'completed');
    if (isBack) return cancelReplacement(context, record, owner, replacement);
  }
  const member = context.member(replacement.member);
  if (member === undefined || !member.isUp) return replaceLostReplacement(context, record, replacement);
  if (!member.mirror.isSynced) return record;
  const report = member.mirror.get(record.key);
  const isKnownThere =
    report !== undefined &&
    report.phase !== 'removed' &&
    comparePlacements(context.tier, report.epoch, replacement.epoch) >= 0;
  if (!isKnownThere) orderDeploy(context, record, replacement);
  else if (report.phase === 'running' || report.phase === 'completed') {
    return promote(context, record, owner, replacement);
  }
  return record;
}

function cancelReplacement(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  replacement: Placement,
): InstanceRecord {
  const retired = withPlacements(
    record,
    record.placements.map((other) =>
      other === replacement ? { ...other, role: 'retired' as const } : other,
    ),
  );
  context.effects.notice({ kind: 'replacement-cancelled', key: record.key, returned: owner.member });
  const next = reassert(context, retired, owner);
  context.wake(next.key, context.nowMs());
  return next;
}

function promote(
  context: ArbiterContext,
  record: InstanceRecord,
  owner: Placement,
  replacement: Placement,
): InstanceRecord {
  const placements = record.placements.flatMap((other): Placement[] => {
    if (other === replacement) return [{ ...other, role: 'owner' }];
    if (other === owner) return [{ ...other, role: 'retired' }];
    return [other];
  });
  const next = withPlacements(record, placements);
  context.save(next, 'full');
  context.wake(next.key, context.nowMs());
  return next;
}

function replaceLostReplacement(
  context: ArbiterContext,
  record: InstanceRecord,
  replacement: Placement,
): InstanceRecord {
  const member = context.member(replacement.member);
  const actAtMs = Math.max(member?.actAfterMs ?? 0, context.guard.heldUntilMs());
  if (context.nowMs() < actAtMs) {
    context.wake(record.key, actAtMs);
    return record;
  }
  const next = withPlacements(
    record,
    record.placements.map((other) =>
      other === replacement ? { ...other, role: 'retired' as const } : other,
    ),
  );
  context.save(next, 'full');
  context.wake(next.key, context.nowMs());
  return next;
}

function placeOwner(context: ArbiterContext, record: InstanceRecord): void {
  if (context.isLearning() && record.lastHolder !== null) {
    context.wake(record.key, context.learningUntilMs());
    return;
  }
  const retired = record.placements.filter((placement) => placement.role === 'retired');
  const decision = choose(
    context,
    record,
    retired.map((placement) => placement.member),
  );
  if (decision === undefined) return;
  const epoch = context.nextEpoch(record);
  const placement: Placement = { member: decision.member, epoch, role: 'owner' };
  const next: InstanceRecord = {
    ...withPlacements(withAuthority(context, record, epoch), [...record.placements, placement]),
    phase: 'pending',
    status: context.tier === 'root' ? 'CLUSTER_SCHEDULED' : 'NODE_SCHEDULED',
    detail: decision.reason,
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
}

/** Asks the scheduler; when nothing fits, records why and tries again later. */
function choose(
  context: ArbiterContext,
  record: InstanceRecord,
  excluded: readonly string[],
): { readonly member: string; readonly reason: string } | undefined {
  const backoff = context.scheduleBackoff(record.key);
  if (!backoff.mayTry) return undefined;
  const candidates = context
    .upMembers()
    .flatMap((member) =>
      member.facts === undefined || !member.mirror.isSynced || excluded.includes(member.id)
        ? []
        : [{ id: member.id, facts: member.facts, reservedMemoryMib: member.reservedMemoryMib }],
    );
  const decision = context.schedule({ document: record.document, candidates });
  if (decision.kind === 'chosen') {
    backoff.reset();
    return decision;
  }
  context.wake(record.key, backoff.failed());
  // An instance that still has an owner keeps the status of the owner.
  const hasOwner = placementOf(record, 'owner') !== undefined;
  if (!hasOwner && (record.status !== decision.status || record.detail !== decision.detail)) {
    context.save(
      { ...record, status: decision.status, detail: decision.detail, sinceMs: context.wallMs() },
      'normal',
    );
  }
  return undefined;
}
