import { formatEpoch, type TierCommand } from '@oakestra/contracts';

/** Remembers what was ordered of whom, so that it is repeated with growing pauses and not in a storm. Volatile. */
export interface OrderBook {
  /** Should it be sent now? */
  note(member: string, message: TierCommand, nowMs: number): boolean;
  /** A new session with the member: everything may be said again at once. */
  forgetMember(member: string): void;
  /** Nothing is asked of the member for this key any more. */
  settle(member: string, key: string): void;
  due(nowMs: number): readonly string[];
  /** Orders that nobody repeated when they were due are settled. */
  dropStale(nowMs: number): void;
  nextDueMs(): number | undefined;
}

interface Order {
  readonly member: string;
  readonly key: string;
  readonly text: string;
  attempts: number;
  dueMs: number;
}

export function createOrderBook(firstMs: number, capMs: number): OrderBook {
  const orders = new Map<string, Order>();
  const idOf = (member: string, key: string) => `${member}|${key}`;

  return {
    note(member, message, nowMs) {
      const key = 'key' in message ? message.key : '';
      const text = `${message.type} ${'epoch' in message ? formatEpoch(message.epoch) : ''}`;
      const id = idOf(member, key);
      const present = orders.get(id);
      if (present === undefined || present.text !== text) {
        orders.set(id, { member, key, text, attempts: 1, dueMs: nowMs + firstMs });
        return true;
      }
      if (nowMs < present.dueMs) return false;
      present.dueMs = nowMs + Math.min(capMs, firstMs * 2 ** present.attempts);
      present.attempts += 1;
      return true;
    },
    forgetMember(member) {
      for (const [id, order] of orders) if (order.member === member) orders.delete(id);
    },
    settle(member, key) {
      orders.delete(idOf(member, key));
    },
    due(nowMs) {
      const keys: string[] = [];
      for (const order of orders.values()) if (order.dueMs <= nowMs) keys.push(order.key);
      return keys;
    },
    dropStale(nowMs) {
      for (const [id, order] of orders) if (order.dueMs <= nowMs) orders.delete(id);
    },
    nextDueMs() {
      let next: number | undefined;
      for (const order of orders.values()) if (next === undefined || order.dueMs < next) next = order.dueMs;
      return next;
    },
  };
}
