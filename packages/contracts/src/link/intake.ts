/** Credit accounting of one stream in its receiving direction. Bounds what the peer can make this side hold. */
export interface Intake {
  /** Notes bytes that arrived. `false` when the peer had no credit for them. */
  arrived(bytes: number): boolean;
  /** Bytes that arrived and were not consumed yet: they take up the window until they are released. */
  hold(bytes: number): void;
  release(bytes: number): void;
  /** Credit to hand out now. 0 until half a window is due, so that credit costs little traffic. */
  creditDue(): number;
}

/** `windowBytes`: bytes that may be on the way or held. The peer starts with that credit. */
export function createIntake(windowBytes: number): Intake {
  // Totals since the start, never reset: differences of them stay exact for petabytes.
  let allowed = windowBytes;
  let total = 0;
  let held = 0;
  return {
    arrived(bytes) {
      total += bytes;
      return total <= allowed;
    },
    hold(bytes) {
      held += bytes;
    },
    release(bytes) {
      held = Math.max(0, held - bytes);
    },
    creditDue() {
      const due = total + Math.max(0, windowBytes - held) - allowed;
      if (due < windowBytes / 2) return 0;
      allowed += due;
      return due;
    },
  };
}
