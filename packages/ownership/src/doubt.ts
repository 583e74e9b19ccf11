import type { ArbiterContext } from './context.ts';
import { isEveryoneHeard } from './members.ts';
import { policyOf } from './policy.ts';
import type { InstanceRecord } from './record.ts';

/** Until our own store has caught up, and the tier above has confirmed what must not run twice. */
export function mustWait(context: ArbiterContext, record: InstanceRecord): boolean {
  const learnedAtMs = context.epochs.learnedAtMs(record);
  if (context.nowMs() < learnedAtMs) {
    context.wake(record.key, learnedAtMs);
    return true;
  }
  if (record.isUnconfirmed !== true || context.tier === 'root') return false;
  const policy = policyOf(record.document);
  return policy.isAtMostOnce || policy.onDisconnect.kind !== 'replace';
}

/** Our store was restored, and where two are worse than none, nobody gets it before all said that they do not have it. */
export function mayHaveUnknownHolder(context: ArbiterContext, record: InstanceRecord): boolean {
  if (context.tier !== 'root' || record.isUnconfirmed !== true) return false;
  if (policyOf(record.document).onDisconnect.kind === 'replace' || isEveryoneHeard(context)) return false;
  context.wake(record.key, context.nowMs() + context.timing.resendCapMs);
  return true;
}

const GIVEN_UP = 'It is unknown whether it ran already; at-most-once forbids another try';

/** An at-most-once instance whose fate is unknown does not run again. */
export function giveUp(context: ArbiterContext, record: InstanceRecord, memberId: string): InstanceRecord {
  if (record.phase === 'completed' || record.detail === GIVEN_UP) return record;
  const next: InstanceRecord = {
    ...record,
    phase: 'dead',
    status: 'DEAD',
    detail: GIVEN_UP,
    sinceMs: context.wallMs(),
  };
  context.save(next, 'full');
  context.effects.notice({ kind: 'given-up', key: record.key, member: memberId });
  return next;
}
