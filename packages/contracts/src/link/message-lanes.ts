import { OakestraError } from '../errors.ts';
import { LINK_CLASSES, type LinkClass, messageStreamId, perClass } from './classes.ts';
import type { ControlQueue } from './control-queue.ts';
import { type DataFrame, malformed } from './frame.ts';
import type { HelloInfo } from './hello.ts';
import { createIntake } from './intake.ts';
import type { LinkGap, LinkLedger } from './ledger.ts';
import { bodyText, decodeEnvelope, HEAD_BYTES, type LinkEpoch, type LinkMessage } from './message.ts';
import type { Outbox } from './outbox.ts';
import { createMessageSource, type DropReason } from './send-source.ts';

/** What a waiting message takes beside its body, roughly. */
const TYPICAL_HEAD_BYTES = 128;

/** A message to send. */
export interface OutgoingMessage {
  readonly linkClass: LinkClass;
  readonly type: string;
  /** Anything that JSON can hold. */
  readonly body: unknown;
  readonly epoch?: LinkEpoch | undefined;
  /** Milliseconds from now after which the message is worthless; default: never. */
  readonly deadlineMs?: number | undefined;
  /** The message was accepted and then not sent. A message that was sent may still be lost with the connection. */
  readonly onDropped?: ((reason: DropReason) => void) | undefined;
}

export interface MessageEvents {
  /** A message arrived. Its bytes count against the window of its class until `settle` is called (once). */
  onMessage(message: LinkMessage, settle: () => void): void;
  onGap(gap: LinkGap): void;
}

/** The four implicit streams of messages, both directions. */
export interface MessageLanes {
  /** The greeting of the peer is there: its limits apply. */
  start(peer: HelloInfo): void;
  /** `false` when the queue of the class is full. */
  send(message: OutgoingMessage, nowMs: number): boolean;
  onData(frame: DataFrame, nowMs: number): void;
  onCredit(stream: number, bytes: number): void;
  queuedBytes(linkClass: LinkClass): number;
  /** The link ended: what waits is dropped. */
  clear(): void;
}

export interface MessageLanesOptions {
  readonly limits: HelloInfo['limits'];
  readonly maxQueuedBytes: number;
  readonly ledger: LinkLedger;
  readonly outbox: Outbox;
  readonly control: ControlQueue;
  readonly events: MessageEvents;
}

export function createMessageLanes(options: MessageLanesOptions): MessageLanes {
  const { limits, ledger, outbox, control, events } = options;
  let peer: HelloInfo | undefined;
  const lanes = perClass((linkClass) => ({
    id: messageStreamId(linkClass),
    source: createMessageSource(linkClass, ledger),
    intake: createIntake(limits.messageWindowBytes),
    parts: [] as Uint8Array[],
    partBytes: 0,
    firstPartAtMs: 0,
  }));

  function grantDue(linkClass: LinkClass): void {
    const due = lanes[linkClass].intake.creditDue();
    if (due > 0) control.credit(lanes[linkClass].id, due);
  }

  function deliver(linkClass: LinkClass, bytes: Uint8Array, startedAtMs: number, nowMs: number): void {
    if (peer === undefined) return;
    const envelope = decodeEnvelope(bytes);
    const admission = ledger.admit(linkClass, peer.incarnation, envelope.sequence);
    if (admission === 'duplicate') return;
    if (admission !== 'new') events.onGap(admission);
    const expiresAtMs = envelope.deadlineMs === undefined ? undefined : startedAtMs + envelope.deadlineMs;
    if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return;
    const { intake } = lanes[linkClass];
    intake.hold(bytes.length);
    let isSettled = false;
    const settle = (): void => {
      if (isSettled) return;
      isSettled = true;
      intake.release(bytes.length);
      grantDue(linkClass);
    };
    const { sequence, epoch, type, body } = envelope;
    const message = { linkClass, sequence, incarnation: peer.incarnation, epoch, expiresAtMs, type, body };
    events.onMessage(message, settle);
  }

  return {
    start(hello) {
      peer = hello;
      for (const linkClass of LINK_CLASSES) {
        const { id, source } = lanes[linkClass];
        outbox.add({ id, linkClass, source, creditBytes: hello.limits.messageWindowBytes });
      }
    },

    send(message, nowMs) {
      const { linkClass, type, epoch, onDropped, deadlineMs } = message;
      const bodyJson = bodyText(type, message.body);
      const bodyBytes = Buffer.byteLength(bodyJson);
      const most = (peer?.limits.messageBytes ?? limits.messageBytes) - HEAD_BYTES;
      if (bodyBytes > most) {
        const text = `the message ${type} has ${bodyBytes} bytes, the peer takes ${most}: send it in pages`;
        throw new OakestraError('invalid', 'link-message-too-large', text);
      }
      const bytes = bodyBytes + TYPICAL_HEAD_BYTES;
      const { source, id } = lanes[linkClass];
      if (source.queuedBytes() + bytes > options.maxQueuedBytes) source.sweep(nowMs);
      if (source.queuedBytes() + bytes > options.maxQueuedBytes) return false;
      const expiresAtMs = deadlineMs === undefined ? undefined : nowMs + deadlineMs;
      source.push({ type, bodyJson, bytes, epoch, expiresAtMs, onDropped });
      outbox.wake(id);
      return true;
    },

    onData(frame, nowMs) {
      const { linkClass, payload } = frame;
      const lane = lanes[linkClass];
      if (frame.stream !== lane.id || frame.isOpen) {
        throw malformed(`stream ${frame.stream} carries messages of another class than ${linkClass}`);
      }
      if (!lane.intake.arrived(payload.length)) {
        throw malformed(`more bytes in class ${linkClass} than there was credit for`);
      }
      if (lane.parts.length === 0) lane.firstPartAtMs = nowMs;
      lane.partBytes += payload.length;
      if (lane.partBytes > limits.messageBytes) {
        throw malformed(`a message of class ${linkClass} has more than ${limits.messageBytes} bytes`);
      }
      lane.parts.push(payload);
      if (frame.isEnd) {
        const bytes = lane.parts.length === 1 ? payload : Buffer.concat(lane.parts, lane.partBytes);
        lane.parts = [];
        lane.partBytes = 0;
        deliver(linkClass, bytes, lane.firstPartAtMs, nowMs);
      }
      grantDue(linkClass);
    },

    onCredit: (stream, bytes) => void outbox.grant(stream, bytes),
    queuedBytes: (linkClass) => lanes[linkClass].source.queuedBytes(),
    clear() {
      for (const linkClass of LINK_CLASSES) {
        lanes[linkClass].source.clear();
        lanes[linkClass].parts = [];
      }
    },
  };
}
