import type { ArbiterContext } from './context.ts';
import { finishRemoval, settleLeavers } from './leavers.ts';
import { leaveOwner } from './leaving.ts';
import { settleOwner } from './owner.ts';
import { placeOwner } from './placing.ts';
import { type InstanceRecord, placementOf } from './record.ts';
import { settleReplacement } from './replacement.ts';

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
  const before = placementOf(record, 'owner');
  record = leaveOwner(context, record);
  if (record.wanted === 'removed') return;
  record = settleReplacement(context, record);
  // What the new owner says counts from now on.
  if (placementOf(record, 'owner')?.member !== before?.member) record = settleOwner(context, record);
  if (placementOf(record, 'owner') === undefined) placeOwner(context, record);
}
