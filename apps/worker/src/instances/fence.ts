import { policyOf } from '@oakestra/ownership';
import type { InstanceEntry } from '../journal/index.ts';
import type { Holdings } from './holdings.ts';

/** Stops what may not run without contact to the cluster (`on_disconnect: stop-after`). Monotonic times. */
export interface Fence {
  /** The cluster answered something that we sent at this time. */
  contact(sentAtMs: number): void;
  /** Survived a start of this process, without a record of when the cluster was heard last. */
  guard(entry: InstanceEntry, byMs: number): void;
  /** Stops what is overdue. */
  tick(): void;
  nextDeadlineMs(): number | undefined;
}

const OUT_OF_REACH = 'Stopped: the cluster was out of reach for longer than on_disconnect allows';

export function createFence(holdings: Holdings, nowMs: () => number): Fence {
  let lastContactMs = nowMs();

  const deadlineOf = (entry: InstanceEntry): number => {
    if (entry.wanted !== 'running' || entry.outcome !== null) return Number.POSITIVE_INFINITY;
    const policy = policyOf(entry.document).onDisconnect;
    if (policy.kind !== 'stop-after') return Number.POSITIVE_INFINITY;
    return holdings.knownLive(entry.key)?.fenceByMs ?? lastContactMs + policy.afterMs;
  };

  return {
    contact(sentAtMs) {
      if (sentAtMs <= lastContactMs) return;
      lastContactMs = sentAtMs;
      if (holdings.fencedBy() === null) return;
      holdings.fenceBy(null);
      for (const [, live] of holdings.lives()) live.fenceByMs = undefined;
    },
    guard(entry, byMs) {
      holdings.live(entry.key).fenceByMs = byMs;
      holdings.fenceBy(byMs);
    },
    tick() {
      for (const entry of holdings.entries.values()) {
        if (nowMs() >= deadlineOf(entry)) holdings.fence(entry, OUT_OF_REACH);
      }
    },
    nextDeadlineMs() {
      let next = Number.POSITIVE_INFINITY;
      for (const entry of holdings.entries.values()) next = Math.min(next, deadlineOf(entry));
      return Number.isFinite(next) ? next : undefined;
    },
  };
}
