import type { InstanceReport } from '@oakestra/contracts';
import type { ArbiterContext } from './context.ts';
import { fenceMsOf, isNeverFenced } from './epochs.ts';
import { policyOf } from './policy.ts';
import { type InstanceRecord, type Placement, withAuthority, withPlacements } from './record.ts';
import { comparePlacements } from './tier.ts';

/** Orders the member of a placement to run it, as soon as that may be. */
export function orderDeploy(context: ArbiterContext, record: InstanceRecord, placement: Placement): void {
  if (mayStillRunElsewhere(context, record)) return;
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

/**
 * Where two are worse than none, a new holder is told only when the earlier ones are known to have stopped: they
 * said so, or had to by themselves after that time.
 */
function mayStillRunElsewhere(context: ArbiterContext, record: InstanceRecord): boolean {
  const { onDisconnect } = policyOf(record.document);
  if (onDisconnect.kind === 'replace') return false;
  const isSilenceNoProof = isNeverFenced(context.tier, onDisconnect);
  let untilMs = 0;
  for (const { role, member: id } of record.placements) {
    const member = role === 'retired' ? context.member(id) : undefined;
    if (member === undefined) continue;
    const endsAtMs = member.lastHeardMs + fenceMsOf(record, context.timing);
    untilMs = Math.max(untilMs, member.isUp || isSilenceNoProof ? Number.POSITIVE_INFINITY : endsAtMs);
  }
  if (context.nowMs() >= untilMs) return false;
  if (Number.isFinite(untilMs)) context.wake(record.key, untilMs);
  return true;
}

/** The holder lost the values that the document refers to, or never had them: only an order brings them. */
export function giveMissingValues(
  context: ArbiterContext,
  record: InstanceRecord,
  placement: Placement,
  report: InstanceReport,
): void {
  if (report.needsValues === true && context.hasValues(record.document)) {
    orderDeploy(context, record, placement);
  }
}

/** Gives a placement a newer epoch, so that it is the proof against an older one. */
export function reassert(
  context: ArbiterContext,
  record: InstanceRecord,
  placement: Placement,
): { readonly record: InstanceRecord; readonly placement: Placement } {
  const renewed: Placement = { ...placement, epoch: context.epochs.next(record) };
  const next = withPlacements(
    withAuthority(context.tier, record, renewed.epoch),
    record.placements.map((other) => (other === placement ? renewed : other)),
  );
  context.save(next, 'full');
  orderDeploy(context, next, renewed);
  return { record: next, placement: renewed };
}

/** Is `epoch` too new for `proof` to stop it? */
export function isBeyond(
  context: ArbiterContext,
  epoch: Placement['epoch'],
  proof: Placement['epoch'],
): boolean {
  return comparePlacements(context.tier, epoch, proof) >= 0;
}
