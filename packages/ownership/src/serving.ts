import type { ArbiterContext } from './context.ts';
import { isAuthoritative } from './members.ts';
import type { InstanceRecord, Placement } from './record.ts';
import { comparePlacements } from './tier.ts';

/** Does the member of this placement run it, or has it completed it, as far as we can see now? */
export function isServing(context: ArbiterContext, record: InstanceRecord, placement: Placement): boolean {
  const member = context.member(placement.member);
  if (!isAuthoritative(member)) return false;
  const report = member.mirror.get(record.key);
  return (
    report !== undefined &&
    comparePlacements(context.tier, report.epoch, placement.epoch) >= 0 &&
    (report.phase === 'running' || report.phase === 'completed')
  );
}
