import { orderDeploy } from './commands.ts';
import type { ArbiterContext } from './context.ts';
import { giveUp, mustWait } from './doubt.ts';
import { policyOf } from './policy.ts';
import { type InstanceRecord, type Placement, placementOf, withAuthority, withPlacements } from './record.ts';

/** What a record says while its new owner has not reported yet. */
export const PLACED = { root: 'CLUSTER_SCHEDULED', cluster: 'NODE_SCHEDULED' } as const;

/** Gives an instance that nobody owns to a member. */
export function placeOwner(context: ArbiterContext, record: InstanceRecord): void {
  if (mustWait(context, record)) return;
  if (policyOf(record.document).isAtMostOnce && mayHaveRun(record)) {
    giveUp(context, record, record.lastHolder?.member ?? '');
    return;
  }
  const retired = record.placements.filter((placement) => placement.role === 'retired');
  const decision = choose(
    context,
    record,
    retired.map((placement) => placement.member),
  );
  if (decision === undefined) return;
  const placement: Placement = {
    member: decision.member,
    epoch: context.epochs.next(record),
    role: 'owner',
    ...decision.told,
  };
  const next: InstanceRecord = {
    ...withPlacements(withAuthority(context.tier, record, placement.epoch), [
      ...record.placements,
      placement,
    ]),
    isUnconfirmed: false,
    phase: 'pending',
    status: PLACED[context.tier],
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

/** It had a holder, or had the time to get one that our store does not know of. */
function mayHaveRun(record: InstanceRecord): boolean {
  return record.lastHolder !== null || record.isUnconfirmed === true || record.phase !== 'pending';
}

interface Decision {
  readonly member: string;
  readonly reason: string;
  readonly told: Pick<Placement, 'incarnation'>;
}

/** Asks the scheduler; when nothing fits, records why and tries again later. */
export function choose(
  context: ArbiterContext,
  record: InstanceRecord,
  excluded: readonly string[],
): Decision | undefined {
  const backoff = context.backoff(record.key);
  if (context.nowMs() < backoff.notBeforeMs()) {
    // What woke us may have taken the place of the wake that was set at the last failure.
    context.wake(record.key, backoff.notBeforeMs());
    return undefined;
  }
  const all = context.membership.candidates();
  const candidates = excluded.length === 0 ? all : all.filter(({ id }) => !excluded.includes(id));
  const decision = context.schedule({ document: record.document, candidates });
  if (decision.kind === 'chosen') {
    backoff.reset();
    const incarnation = context.member(decision.member)?.incarnation;
    const told = incarnation === undefined ? {} : { incarnation };
    return { member: decision.member, reason: decision.reason, told };
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
