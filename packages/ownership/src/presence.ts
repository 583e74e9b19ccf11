import type { Greeting } from '@oakestra/contracts';
import { createAgenda } from './agenda.ts';
import type { ArbiterContext } from './context.ts';
import type { Member } from './members.ts';
import type { OrderBook } from './orders.ts';
import { placementOf } from './record.ts';

export type DownReason =
  | { readonly kind: 'reset' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'restarting'; readonly graceMs: number };

/** Who of the members is there, and since when the others are missed. */
export interface Presence {
  up(id: string, greeting: Greeting): void;
  down(id: string, reason: DownReason): void;
  heard(id: string): void;
  /** A piece of its table came. */
  reported(member: Member): void;
  selfLate(lateMs: number): void;
  tick(): void;
  nextDeadlineMs(): number | undefined;
}

export function createPresence(
  context: Pick<
    ArbiterContext,
    'timing' | 'guard' | 'effects' | 'epochs' | 'membership' | 'nowMs' | 'decide' | 'record'
  > & { readonly memberOf: (id: string) => Member; readonly orders: OrderBook },
): Presence {
  const { timing, guard, membership, nowMs, orders } = context;
  /** Nobody is suspected before: what we missed while we were late may still arrive. */
  let pardonUntilMs = 0;
  /** Members that came since this process started. */
  const seen = new Set<Member>();
  let awaitedUntilMs: number | undefined = nowMs() + timing.startGraceMs;

  /** Members whose picture is incomplete, and when they are asked again. */
  const incomplete = createAgenda<Member>();

  const miss = (member: Member): void => {
    if (!guard.memberLost(member.id, nowMs(), membership.upCount())) return;
    context.effects.notice({ kind: 'loss-doubted', heldForMs: guard.heldUntilMs() - nowMs() });
  };

  const isNeeded = (member: Member): boolean => {
    for (const key of member.keys) {
      const record = context.record(key);
      const owner = record === undefined ? undefined : placementOf(record, 'owner');
      if (owner?.member === member.id) return true;
    }
    return false;
  };

  const graceOf = (reason: DownReason): number => {
    if (reason.kind === 'silent') return timing.silenceGraceMs;
    return reason.kind === 'reset' ? timing.resetGraceMs : Math.max(reason.graceMs, timing.resetGraceMs);
  };

  return {
    up(id, greeting) {
      const member = context.memberOf(id);
      const wasDown = !member.isUp;
      seen.add(member);
      member.incarnation = greeting.incarnation;
      member.lastHeardMs = nowMs();
      member.upSinceMs = nowMs();
      member.mirror.beginSession({ incarnation: greeting.incarnation, boot: greeting.boot });
      membership.setUp(member, true);
      membership.reconsider(member);
      orders.forgetMember(id);
      incomplete.set(member, nowMs() + timing.resendFirstMs);
      if (wasDown) guard.memberReturned(id, nowMs(), membership.upCount());
      context.epochs.learnFrom(greeting.highestEpoch);
    },
    down(id, reason) {
      const member = membership.get(id);
      if (member === undefined || !member.isUp) return;
      membership.setUp(member, false);
      incomplete.delete(member);
      orders.forgetMember(id);
      member.actAfterMs = Math.max(nowMs() + graceOf(reason), pardonUntilMs);
      if (reason.kind !== 'restarting' && member.mark.availability !== 'removed') miss(member);
      for (const key of [...member.keys]) context.decide(key);
    },
    heard(id) {
      const member = membership.get(id);
      if (member !== undefined) member.lastHeardMs = nowMs();
    },
    reported(member) {
      member.lastHeardMs = nowMs();
      if (member.mirror.isSynced) incomplete.delete(member);
      else incomplete.advance(member, nowMs() + timing.resendFirstMs);
    },
    selfLate(lateMs) {
      pardonUntilMs = nowMs() + lateMs + timing.resetGraceMs;
      for (const member of membership.values()) {
        if (!member.isUp) member.actAfterMs = Math.max(member.actAfterMs + lateMs, pardonUntilMs);
      }
    },
    tick() {
      for (const member of incomplete.takeDue(nowMs())) {
        context.effects.send(member.id, { type: 'sync', want: 'digest' });
        incomplete.set(member, nowMs() + timing.resendFirstMs);
      }
      if (awaitedUntilMs === undefined || nowMs() < awaitedUntilMs) return;
      awaitedUntilMs = undefined;
      // A loss during which we were restarted is as doubtful as any other.
      for (const member of membership.values()) if (!seen.has(member) && isNeeded(member)) miss(member);
      seen.clear();
    },
    nextDeadlineMs() {
      const nextMs = incomplete.nextMs();
      if (awaitedUntilMs === undefined || nextMs === undefined) return awaitedUntilMs ?? nextMs;
      return Math.min(awaitedUntilMs, nextMs);
    },
  };
}
