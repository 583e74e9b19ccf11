/** A tier suspects itself before it suspects many. All times monotonic milliseconds. */
export interface SuspicionGuard {
  /** A member was lost without notice; says whether too many were. `upCount`: those that are still there. */
  memberLost(id: string, nowMs: number, upCount: number): boolean;
  memberReturned(id: string, nowMs: number, upCount: number): void;
  /** Until when nothing is re-placed; 0: no hold. */
  heldUntilMs(): number;
  /** Takes one eviction from the allowance; otherwise says when the next one is allowed. */
  takeEviction(nowMs: number): { readonly isAllowed: boolean; readonly retryAtMs: number };
}

export interface SuspicionSettings {
  readonly windowMs: number;
  /** 0 to 1: more members than this share lost within the window, and the loss is doubted. */
  readonly doubtShare: number;
  readonly holdMs: number;
  /** When enough have returned, the others get this time before the hold ends. */
  readonly settleMs: number;
  readonly evictionsPerSecond: number;
  readonly evictionBurst: number;
}

export const DEFAULT_SUSPICION: SuspicionSettings = {
  windowMs: 10_000,
  doubtShare: 0.3,
  holdMs: 60_000,
  settleMs: 5000,
  evictionsPerSecond: 50,
  evictionBurst: 100,
};

export function createSuspicionGuard(settings: SuspicionSettings): SuspicionGuard {
  /** When each of the members that are away was lost; only those of one window. */
  const lostAtMs = new Map<string, number>();
  let heldUntilMs = 0;
  let tokens = settings.evictionBurst;
  let refilledAtMs: number | undefined;

  // One lost member is always believed: of two or three it is more than any share.
  const isDoubtful = (upCount: number): boolean =>
    lostAtMs.size > 1 && lostAtMs.size > (upCount + lostAtMs.size) * settings.doubtShare;

  return {
    memberLost(id, nowMs, upCount) {
      for (const [other, atMs] of lostAtMs) if (nowMs - atMs >= settings.windowMs) lostAtMs.delete(other);
      lostAtMs.set(id, nowMs);
      const isDoubted = isDoubtful(upCount);
      if (isDoubted) heldUntilMs = nowMs + settings.holdMs;
      return isDoubted;
    },
    memberReturned(id, nowMs, upCount) {
      lostAtMs.delete(id);
      if (!isDoubtful(upCount)) heldUntilMs = Math.min(heldUntilMs, nowMs + settings.settleMs);
    },
    heldUntilMs: () => heldUntilMs,
    takeEviction(nowMs) {
      const elapsedMs = nowMs - (refilledAtMs ?? nowMs);
      refilledAtMs = nowMs;
      tokens = Math.min(settings.evictionBurst, tokens + (elapsedMs * settings.evictionsPerSecond) / 1000);
      if (tokens < 1) {
        return {
          isAllowed: false,
          retryAtMs: nowMs + Math.ceil(((1 - tokens) * 1000) / settings.evictionsPerSecond),
        };
      }
      tokens -= 1;
      return { isAllowed: true, retryAtMs: nowMs };
    },
  };
}
