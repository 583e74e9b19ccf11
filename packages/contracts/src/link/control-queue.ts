import { LINK_STREAM } from './classes.ts';
import { type ByeReason, encodeFrame } from './frame.ts';
import { type LinkResetCode, resetCodeNumber } from './link-end.ts';

/** Frames about the link itself. They go before all data; what a later one makes pointless is merged away. */
export interface ControlQueue {
  hello(json: Uint8Array): void;
  credit(stream: number, bytes: number): void;
  reset(stream: number, code: LinkResetCode, reason: string): void;
  ping(nonce: number): void;
  pong(nonce: number): void;
  bye(reason: ByeReason, graceMs: number): void;
  /** Everything that waits, encoded. */
  take(): Uint8Array[];
}

export function createControlQueue(): ControlQueue {
  let frames: Uint8Array[] = [];
  let pings = { ping: -1, pong: -1 };
  const credits = new Map<number, number>();
  /** What ends the link, if anything. */
  let last: Uint8Array | undefined;

  return {
    hello: (json) => void frames.push(encodeFrame({ kind: 'hello', json })),
    credit: (stream, bytes) => void credits.set(stream, (credits.get(stream) ?? 0) + bytes),
    reset(stream, code, reason) {
      credits.delete(stream);
      const frame = encodeFrame({ kind: 'reset', stream, code: resetCodeNumber(code), reason });
      if (stream === LINK_STREAM) last = frame;
      else frames.push(frame);
    },
    ping(nonce) {
      pings.ping = nonce;
    },
    // Only the last one is answered: a peer that floods pings gains nothing.
    pong(nonce) {
      pings.pong = nonce;
    },
    bye(reason, graceMs) {
      last = encodeFrame({ kind: 'bye', reason, graceMs });
    },
    take() {
      const taken = frames;
      frames = [];
      for (const [stream, bytes] of credits) taken.push(encodeFrame({ kind: 'credit', stream, bytes }));
      credits.clear();
      if (pings.pong >= 0) taken.push(encodeFrame({ kind: 'pong', nonce: pings.pong }));
      if (pings.ping >= 0) taken.push(encodeFrame({ kind: 'ping', nonce: pings.ping }));
      pings = { ping: -1, pong: -1 };
      if (last !== undefined) taken.push(last);
      last = undefined;
      return taken;
    },
  };
}
