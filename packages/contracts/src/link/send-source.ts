import type { LinkClass } from './classes.ts';
import type { LinkLedger } from './ledger.ts';
import { encodeEnvelope, type LinkEpoch } from './message.ts';

/** Payload for one DATA frame. */
export interface Payload {
  readonly bytes: Uint8Array;
  /** Last of its message, or of its stream. */
  readonly isEnd: boolean;
}

/** What waits to be sent on one stream. */
export interface SendSource {
  /** Bytes that wait. */
  queuedBytes(): number;
  /** Whether there is something to take; `needsCredit` tells a mere end mark from bytes. */
  pending(): 'nothing' | 'needs-credit' | 'end-mark';
  /** At most `maxBytes` (1 or more); nothing when all that waited has expired. */
  take(maxBytes: number, nowMs: number): Payload | undefined;
}

const NOTHING = new Uint8Array(0);

/** The bytes of an opened stream. */
export interface ByteSource extends SendSource {
  push(bytes: Uint8Array): void;
  end(): void;
}

export function createByteSource(): ByteSource {
  const chunks: Uint8Array[] = [];
  let queued = 0;
  let end: 'open' | 'wanted' | 'sent' = 'open';
  return {
    push(bytes) {
      if (bytes.length === 0 || end !== 'open') return;
      chunks.push(bytes);
      queued += bytes.length;
    },
    end() {
      if (end === 'open') end = 'wanted';
    },
    queuedBytes: () => queued,
    pending() {
      if (chunks.length > 0) return 'needs-credit';
      return end === 'wanted' ? 'end-mark' : 'nothing';
    },
    take(maxBytes) {
      const first = chunks[0];
      if (first === undefined) {
        end = 'sent';
        return { bytes: NOTHING, isEnd: true };
      }
      const bytes = first.subarray(0, maxBytes);
      if (bytes.length === first.length) chunks.shift();
      else chunks[0] = first.subarray(bytes.length);
      queued -= bytes.length;
      const isEnd = chunks.length === 0 && end === 'wanted';
      if (isEnd) end = 'sent';
      return { bytes, isEnd };
    },
  };
}

/** A message that waits for its turn. */
export interface WaitingMessage {
  readonly type: string;
  readonly bodyJson: string;
  readonly bytes: number;
  readonly epoch?: LinkEpoch | undefined;
  /** Monotonic milliseconds of this side. */
  readonly expiresAtMs?: number | undefined;
  readonly onDropped?: ((reason: DropReason) => void) | undefined;
}

/** Why a message was never sent: its deadline passed while it waited, or the link ended. */
export type DropReason = 'expired' | 'closed';

/** The messages of one class. A message gets its sequence when it leaves, so that one that expires leaves no gap. */
export interface MessageSource extends SendSource {
  push(message: WaitingMessage): void;
  /** Drops what has expired, to make room. */
  sweep(nowMs: number): void;
  /** Drops everything because the link ended. */
  clear(): void;
}

export function createMessageSource(linkClass: LinkClass, ledger: LinkLedger): MessageSource {
  let waiting: WaitingMessage[] = [];
  let queued = 0;
  /** The rest of the message that is under way. */
  let current: Uint8Array | undefined;

  const isExpired = (message: WaitingMessage, nowMs: number): boolean =>
    message.expiresAtMs !== undefined && message.expiresAtMs <= nowMs;

  function nextMessage(nowMs: number): Uint8Array | undefined {
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
      queued -= message.bytes;
      if (isExpired(message, nowMs)) {
        message.onDropped?.('expired');
        continue;
      }
      const deadlineMs = message.expiresAtMs === undefined ? undefined : message.expiresAtMs - nowMs;
      const head = { sequence: ledger.next(linkClass), epoch: message.epoch, deadlineMs, type: message.type };
      return encodeEnvelope(head, message.bodyJson);
    }
    return undefined;
  }

  return {
    push(message) {
      waiting.push(message);
      queued += message.bytes;
    },
    queuedBytes: () => queued + (current?.length ?? 0),
    pending: () => (current !== undefined || waiting.length > 0 ? 'needs-credit' : 'nothing'),
    take(maxBytes, nowMs) {
      const message = current ?? nextMessage(nowMs);
      if (message === undefined) return undefined;
      const bytes = message.subarray(0, maxBytes);
      current = bytes.length === message.length ? undefined : message.subarray(bytes.length);
      return { bytes, isEnd: current === undefined };
    },
    sweep(nowMs) {
      const expired = waiting.filter((message) => isExpired(message, nowMs));
      if (expired.length === 0) return;
      waiting = waiting.filter((message) => !isExpired(message, nowMs));
      for (const message of expired) {
        queued -= message.bytes;
        message.onDropped?.('expired');
      }
    },
    clear() {
      const dropped = waiting;
      waiting = [];
      queued = 0;
      current = undefined;
      for (const message of dropped) message.onDropped?.('closed');
    },
  };
}
