/** Decides when a quiet link is probed and when it is given up. */
export interface Keepalive {
  /** Something arrived. */
  heard(nowMs: number): void;
  /** To be called at `wakeAtMs()` or later. `silentMs` is set when the peer has to be given up. */
  tick(nowMs: number): { readonly ping: boolean; readonly silentMs?: number };
  wakeAtMs(): number;
}

/** A timer that fires this late says more about this process than about the peer. */
const LATE_MS = 500;

/**
 * `idleMs` of silence cause a ping, `silenceMs` end the link. When this process itself was held up, the peer gets
 * another chance first: what it sent may still wait in the socket.
 */
export function createKeepalive(idleMs: number, silenceMs: number, startMs: number): Keepalive {
  let heardAtMs = startMs;
  let hasPinged = false;
  let dueAtMs = startMs + silenceMs;

  const wakeAtMs = (): number => (hasPinged ? dueAtMs : Math.min(dueAtMs, heardAtMs + idleMs));

  return {
    heard(nowMs) {
      heardAtMs = nowMs;
      dueAtMs = nowMs + silenceMs;
      hasPinged = false;
    },
    tick(nowMs) {
      const wakeMs = wakeAtMs();
      if (nowMs < wakeMs) return { ping: false };
      if (nowMs - wakeMs > LATE_MS) {
        hasPinged = true;
        dueAtMs = nowMs + Math.max(silenceMs - idleMs, 1);
        return { ping: true };
      }
      if (nowMs >= dueAtMs) return { ping: false, silentMs: nowMs - heardAtMs };
      hasPinged = true;
      return { ping: true };
    },
    wakeAtMs,
  };
}
