import { formatEpoch, type TierCommand } from '@oakestra/contracts';
import { createAgenda } from './agenda.ts';

/** What is asked of a member about one instance. */
export interface Order {
  readonly member: string;
  readonly key: string;
}

/** Remembers what was ordered of whom, so that it is repeated with growing pauses and not in a storm. Volatile. */
export interface OrderBook {
  /** Should it be sent now? */
  note(member: string, message: TierCommand, nowMs: number): boolean;
  /** A new session with the member: everything may be said again at once. */
  forgetMember(member: string): void;
  /** Nothing is asked of the member for this key any more. */
  settle(member: string, key: string): void;
  /** Calls `repeat` for what is due; what it does not note again is settled. */
  repeatDue(nowMs: number, repeat: (order: Order) => void): void;
  nextDueMs(): number | undefined;
}

interface OpenOrder extends Order {
  readonly text: string;
  attempts: number;
  dueMs: number;
}

export function createOrderBook(firstMs: number, capMs: number): OrderBook {
  const byMember = new Map<string, Map<string, OpenOrder>>();
  const agenda = createAgenda<OpenOrder>();

  const drop = (order: OpenOrder): void => {
    const orders = byMember.get(order.member);
    orders?.delete(order.key);
    if (orders?.size === 0) byMember.delete(order.member);
    agenda.delete(order);
  };

  const add = (order: OpenOrder): void => {
    const orders = byMember.get(order.member) ?? new Map<string, OpenOrder>();
    orders.set(order.key, order);
    byMember.set(order.member, orders);
    agenda.set(order, order.dueMs);
  };

  return {
    note(member, message, nowMs) {
      const key = 'key' in message ? message.key : '';
      const text = `${message.type} ${'epoch' in message ? formatEpoch(message.epoch) : ''}`;
      const present = byMember.get(member)?.get(key);
      if (present === undefined || present.text !== text) {
        if (present !== undefined) drop(present);
        add({ member, key, text, attempts: 1, dueMs: nowMs + firstMs });
        return true;
      }
      if (nowMs < present.dueMs) return false;
      present.dueMs = nowMs + Math.min(capMs, firstMs * 2 ** present.attempts);
      present.attempts += 1;
      agenda.set(present, present.dueMs);
      return true;
    },
    forgetMember(member) {
      for (const order of byMember.get(member)?.values() ?? []) agenda.delete(order);
      byMember.delete(member);
    },
    settle(member, key) {
      const order = byMember.get(member)?.get(key);
      if (order !== undefined) drop(order);
    },
    repeatDue(nowMs, repeat) {
      for (const order of agenda.takeDue(nowMs)) {
        repeat(order);
        const present = byMember.get(order.member)?.get(order.key);
        if (present === order && order.dueMs <= nowMs) drop(order);
      }
    },
    nextDueMs: () => agenda.nextMs(),
  };
}
