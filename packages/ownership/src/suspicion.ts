/** A tier suspects itself before it suspects many (design 3, "Ownership", 6). All times monotonic milliseconds. */
export interface SuspicionGuard {
  /** A member fell silent; says whether that makes too many of `memberCount`. */
  memberLost(nowMs: number, memberCount: number): boolean;
  memberReturned(): void;
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
  readonly evictionsPerSecond: number;
  readonly evictionBurst: number;
}

export const DEFAULT_SUSPICION: SuspicionSettings = {
  windowMs: 10_000,
  doubtShare: 0.3,
  holdMs: 60_000,
  evictionsPerSecond: 50,
  evictionBurst: 100,
};

export function createSuspicionGuard(settings: SuspicionSettings): SuspicionGuard {
  let lostAtMs: number[] = [];
  let heldUntilMs = 0;
  let tokens = settings.evictionBurst;
  let refilledAtMs: number | undefined;

  return {
    memberLost(nowMs, memberCount) {
      lostAtMs = lostAtMs.filter((at) => nowMs - at < settings.windowMs);
      lostAtMs.push(nowMs);
      // One lost member is always believed: of two or three it is more than any share.
      const isDoubtful = lostAtMs.length > 1 && lostAtMs.length > memberCount * settings.doubtShare;
      if (isDoubtful) heldUntilMs = nowMs + settings.holdMs;
      return isDoubtful;
    },
    memberReturned() {
      lostAtMs.pop();
      if (lostAtMs.length <= 1) heldUntilMs = 0;
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
