/** Time as the link needs it; `Clock` of the daemons fits. */
export interface LinkClock {
  /** Milliseconds since an arbitrary origin; never goes back. */
  monotonicMs(): number;
  /** Calls `action` once after `delayMs`, unless it is cancelled first. */
  setTimer(delayMs: number, action: () => void): () => void;
}

/** Randomness for jitter; `Random` of the daemons fits. */
export interface LinkRandom {
  /** A number in [0, 1). */
  fraction(): number;
}

/** Where the link says what happens; `Logger` of the daemons fits. */
export interface LinkLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}
