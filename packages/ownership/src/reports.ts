import type { Changes, Digest, Epoch, InstanceKey, Page } from '@oakestra/contracts';
import { believe, isOutdated } from './believe.ts';
import { orderDeploy } from './commands.ts';
import type { ArbiterContext } from './context.ts';
import { giveUp } from './doubt.ts';
import { type Intent, newRecord } from './intents.ts';
import { isAuthoritative, type Member } from './members.ts';
import { policyOf } from './policy.ts';
import type { InstanceRecord } from './record.ts';

/** Takes in a piece of a member's table; says whether the picture is complete now and was not before. */
export function receive(context: ArbiterContext, member: Member, message: Changes | Digest | Page): boolean {
  const received = member.mirror.receive(message);
  for (const request of received.requests) context.effects.send(member.id, request);
  context.membership.reconsider(member);
  if (!received.becameSynced) {
    for (const key of received.changed) observe(context, member, key);
    return false;
  }
  const keys = new Set(member.keys);
  for (const [key] of member.mirror.entries()) keys.add(key);
  for (const key of keys) observe(context, member, key);
  return true;
}

/** Looks at what a member says of one instance now. */
export function observe(context: ArbiterContext, member: Member, key: InstanceKey): void {
  const report = member.mirror.get(key);
  if (report === undefined) {
    context.settle(member.id, key);
    context.decide(key);
    return;
  }
  context.epochs.learnFrom(report.epoch);
  const record = context.record(key);
  if (record === undefined) {
    if (report.phase === 'removed') context.order(member.id, { type: 'forget', key, epoch: report.epoch });
    else if (isAuthoritative(member)) context.order(member.id, { type: 'describe', key });
    return;
  }
  const placement = record.placements.find((other) => other.member === member.id);
  if (placement === undefined) context.noteStranger(member, key);
  else {
    const isObeyed = report.phase !== 'removed' && !isOutdated(context, record, placement, report);
    // An order to stop stays open until it is obeyed.
    if (isObeyed && record.wanted === 'running' && placement.role !== 'retired') {
      context.settle(member.id, key);
    }
    believe(context, record, placement, report);
  }
  context.decide(key);
}

/** The answer to `describe`: takes over what we did not know, and asks for nothing that we know to be removed. */
export function adopt(
  context: ArbiterContext,
  member: Member,
  described: Intent & { readonly epoch: Epoch },
): void {
  const { key } = described;
  if (context.record(key) !== undefined || !isAuthoritative(member)) return;
  const report = member.mirror.get(key);
  if (report === undefined || report.phase === 'removed') return;
  context.epochs.learnFrom(described.epoch);
  context.settle(member.id, key);
  const record = newRecord(context, described, described.epoch.root);
  if (isForgotten(context, member, described.epoch)) {
    const tombstone = context.epochs.next(record);
    const retired = { member: member.id, epoch: report.epoch, role: 'retired' as const };
    const gone = { ...record, wanted: 'removed' as const, tombstone, authority: tombstone.root };
    context.save({ ...gone, placements: [retired] }, 'full');
    context.decide(key);
    return;
  }
  if (report.epoch.root === 0) {
    answerQuestion(context, record, member, described.epoch);
    return;
  }
  context.save(
    { ...record, placements: [{ member: member.id, epoch: report.epoch, role: 'owner' }] },
    'full',
  );
  context.effects.notice({ kind: 'adopted', key, member: member.id });
  observe(context, member, key);
}

/** A removed member brings what was ours when it was removed, and what we do not know any more: it was removed since. */
function isForgotten(context: ArbiterContext, { mark }: Member, epoch: Epoch): boolean {
  if (mark.availability !== 'removed') return false;
  return epoch.root <= mark.at || context.epochs.gaveOut(epoch.root);
}

/**
 * The store of the member was restored, and nobody there runs it: is it still wanted? If our own store gave out
 * that epoch and does not know the instance, then it was removed since.
 */
function answerQuestion(context: ArbiterContext, record: InstanceRecord, member: Member, epoch: Epoch): void {
  const next = context.epochs.next(record);
  const placement = { member: member.id, epoch: next, role: 'owner' as const };
  if (context.epochs.gaveOut(epoch.root)) {
    const retired = { ...placement, epoch, role: 'retired' as const };
    context.save(
      { ...record, wanted: 'removed', tombstone: next, authority: next.root, placements: [retired] },
      'full',
    );
    context.decide(record.key);
    return;
  }
  const adopted = { ...record, authority: next.root, placements: [placement] };
  context.save(adopted, 'full');
  context.effects.notice({ kind: 'adopted', key: record.key, member: member.id });
  // What we did not know ourselves proves nothing.
  if (policyOf(record.document).isAtMostOnce) giveUp(context, adopted, member.id);
  else orderDeploy(context, adopted, placement);
}
