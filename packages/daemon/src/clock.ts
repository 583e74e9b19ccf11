/** Cancels a timer; calling it twice, or after the timer fired, does nothing. */
export type CancelTimer = () => void;

/**
 * Time as a port: the cores never read a clock of their own, so that a simulation can run them.
 */
export interface Clock {
  /** Wall clock, Unix milliseconds. May jump; for people and for certificates only. */
  nowMs(): number;
  /** Milliseconds since an arbitrary origin. Never goes back, also counts the time a machine was suspended. */
  monotonicMs(): number;
  /** Calls `action` once after `delayMs` (0 or more). Does not keep the process alive by itself. */
  setTimer(delayMs: number, action: () => void): CancelTimer;
}
