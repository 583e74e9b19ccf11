export interface ArbiterTiming {
  /** A member whose connection was reset may come back this long before its instances are replaced. */
  readonly resetGraceMs: number;
  /** The same after silence, which itself took time to be noticed. */
  readonly silenceGraceMs: number;
  /** After a start of this process: time for the members to come back, of which some may just restart in order. */
  readonly startGraceMs: number;
  /** After the store was found to be lost or restored: time to learn from below. */
  readonly learnMs: number;
  /** What a cluster with another store than before has not reported yet is not given to it again before this time. */
  readonly strangeStoreMs: number;
  /** Added to `stop-after`: covers what the two clocks and the network may differ by. */
  readonly fenceMarginMs: number;
  readonly resendFirstMs: number;
  readonly resendCapMs: number;
  readonly scheduleRetryFirstMs: number;
  readonly scheduleRetryCapMs: number;
  /** What waits for room is tried again when there may be some, but not more often than this. */
  readonly retryPauseMs: number;
  /** So many failed starts in a row, and another member is tried. */
  readonly failuresBeforeMove: number;
}

export const DEFAULT_TIMING: ArbiterTiming = {
  resetGraceMs: 1000,
  silenceGraceMs: 1000,
  startGraceMs: 30_000,
  learnMs: 15_000,
  strangeStoreMs: 15_000,
  fenceMarginMs: 5000,
  resendFirstMs: 2000,
  resendCapMs: 30_000,
  scheduleRetryFirstMs: 1000,
  scheduleRetryCapMs: 30_000,
  retryPauseMs: 250,
  failuresBeforeMove: 3,
};
