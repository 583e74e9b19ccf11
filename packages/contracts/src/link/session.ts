import { messageOf, OakestraError } from '../errors.ts';
import { LINK_CLASSES, LINK_STREAM, type LinkClass, type LinkSide, type PerClass } from './classes.ts';
import { createControlQueue } from './control-queue.ts';
import { type ByeReason, encodeFrame, type Frame, malformed } from './frame.ts';
import { createFrameReader } from './frame-reader.ts';
import { decodeHello, encodeHello, type HelloInfo, LINK_VERSION } from './hello.ts';
import { createKeepalive } from './keepalive.ts';
import type { LinkLedger } from './ledger.ts';
import { type LinkEnd, type LinkResetCode, resetCodeOf } from './link-end.ts';
import { createMessageLanes, type MessageEvents, type OutgoingMessage } from './message-lanes.ts';
import { createOutbox } from './outbox.ts';
import { createStreamTable, type StreamEvents, type StreamMetadata } from './stream-table.ts';

/** What this side says about itself; the session adds the version, the limits and what arrived before. */
export type LinkIdentity = Pick<HelloInfo, 'role' | 'name' | 'incarnation' | 'bootId' | 'capabilities'>;

/** Times and sizes of a link. Defaults: `DEFAULT_LINK_SETTINGS`. */
export interface LinkSettings {
  /** Silence of the peer after which it is asked whether it is there. The accepting side waits a quarter longer. */
  readonly idleMs: number;
  /** Silence of the peer after which the link is given up. */
  readonly silenceMs: number;
  /** Time for the peer's greeting. */
  readonly helloTimeoutMs: number;
  /** On goodbye, time for what waits to be sent. */
  readonly drainMs: number;
  /** Bytes of messages that may wait per class on the sending side. */
  readonly maxQueuedBytes: number;
  readonly limits: HelloInfo['limits'];
}

export const DEFAULT_LINK_SETTINGS: LinkSettings = {
  idleMs: 10_000,
  silenceMs: 20_000,
  helloTimeoutMs: 10_000,
  drainMs: 1_000,
  maxQueuedBytes: 16 * 1024 * 1024,
  limits: { messageBytes: 4 * 1024 * 1024, messageWindowBytes: 512 * 1024, streamWindowBytes: 256 * 1024 },
};

/** What happens on a link; called synchronously out of the session's functions. */
export interface SessionEvents extends MessageEvents, StreamEvents {
  /** Both greetings are exchanged. `missed`: our messages per class, sent on earlier links, that never arrived. */
  onOpen(peer: HelloInfo, missed: PerClass<number>): void;
  /** Once, the last event. The owner sends what `takeOutgoing` still gives, then closes the transport. */
  onEnd(end: LinkEnd): void;
}

export interface SessionOptions {
  readonly side: LinkSide;
  readonly identity: LinkIdentity;
  readonly settings: LinkSettings;
  readonly ledger: LinkLedger;
  readonly events: SessionEvents;
  /** Looks at the peer's greeting before the link opens; throws to refuse it. */
  readonly checkPeer?: ((peer: HelloInfo) => void) | undefined;
  readonly nowMs: number;
}

/**
 * The protocol of one link without sockets or timers: bytes and time go in, bytes and events come out. `nowMs` is a
 * monotonic clock. No function throws for what the peer does: that ends the link through `onEnd`.
 */
export interface LinkSession {
  readonly state: SessionState;
  receive(bytes: Uint8Array, nowMs: number): void;
  /** The connection below is gone. */
  transportClosed(message: string): void;
  /**
   * What to send next: `maxBytes` if there is so much, more by one frame at most. Ask again until there is
   * nothing; ask only when the transport can take it, so that a command overtakes what still waits here.
   */
  takeOutgoing(maxBytes: number, nowMs: number): Uint8Array | undefined;
  tick(nowMs: number): void;
  /** When `tick` is due at the latest. */
  wakeAtMs(): number;
  /** `false` when the link does not take messages (not open, ending, queue of the class full). */
  send(message: OutgoingMessage, nowMs: number): boolean;
  queuedBytes(linkClass: LinkClass): number;
  /** The number of the new stream; `undefined` when the link is not open. */
  openStream(linkClass: LinkClass, metadata: StreamMetadata): number | undefined;
  writeStream(id: number, bytes: Uint8Array): number | undefined;
  endStream(id: number): void;
  resetStream(id: number, code: LinkResetCode, reason: string): void;
  consumed(id: number, bytes: number): void;
  /** Sends what waits, for `drainMs` at most, then says goodbye. */
  bye(reason: ByeReason, graceMs: number, nowMs: number): void;
  /** Ends the link at once without a word. */
  close(): void;
}

/** A day: no restart takes longer. */
const MAX_GRACE_MS = 24 * 3_600_000;

export type SessionState = 'greeting' | 'open' | 'leaving' | 'ended';

const NEXT_STATES: Record<SessionState, readonly SessionState[]> = {
  greeting: ['open', 'leaving', 'ended'],
  open: ['leaving', 'ended'],
  leaving: ['ended'],
  ended: [],
};

type StreamFrame = Extract<Frame, { readonly stream: number }>;

export function createLinkSession(options: SessionOptions): LinkSession {
  const { side, identity, settings, ledger, events } = options;
  const { limits } = settings;
  const control = createControlQueue();
  const outbox = createOutbox();
  const reader = createFrameReader();
  const { maxQueuedBytes } = settings;
  const messages = createMessageLanes({ limits, maxQueuedBytes, ledger, outbox, control, events });
  const streams = createStreamTable({ side, windowBytes: limits.streamWindowBytes, outbox, control, events });
  const idleMs = side === 'acceptor' ? settings.idleMs * 1.25 : settings.idleMs;
  const keepalive = createKeepalive(idleMs, settings.silenceMs, options.nowMs);
  let state: SessionState = 'greeting';
  let hasGreeted = false;
  let pingNonce = 0;
  let goodbye: { reason: ByeReason; graceMs: number; deadlineMs: number } | undefined;

  function move(next: SessionState): boolean {
    if (!NEXT_STATES[state].includes(next)) return false;
    state = next;
    return true;
  }

  function finish(end: LinkEnd): void {
    if (!move('ended')) return;
    messages.clear();
    events.onEnd(end);
  }

  function fail(error: unknown, resetCode: LinkResetCode): void {
    if (state === 'ended') return;
    const message = messageOf(error);
    const code = error instanceof OakestraError ? error.code : 'link-internal';
    control.reset(LINK_STREAM, resetCode, message);
    finish({ kind: 'error', by: 'us', code, message });
  }

  function greet(): void {
    const lastReceived = ledger.received();
    const known = lastReceived === undefined ? {} : { lastReceived };
    control.hello(encodeHello({ version: LINK_VERSION, ...identity, limits, ...known }));
  }

  function greeted(json: Uint8Array): void {
    if (hasGreeted) throw malformed('the peer greets twice');
    hasGreeted = true;
    const peer = decodeHello(json);
    try {
      options.checkPeer?.(peer);
    } catch (error) {
      fail(error, 'refused');
      return;
    }
    if (!move('open')) return;
    if (side === 'acceptor') greet();
    const missed = ledger.reconcile(identity.incarnation, peer.lastReceived);
    messages.start(peer);
    streams.start(peer.limits.streamWindowBytes);
    events.onOpen(peer, missed);
  }

  function onFrame(frame: Frame, nowMs: number): void {
    switch (frame.kind) {
      case 'hello':
        greeted(frame.json);
        break;
      case 'ping':
        control.pong(frame.nonce);
        break;
      case 'pong':
        break;
      case 'bye':
        finish({ kind: 'bye', by: 'peer', reason: frame.reason, graceMs: frame.graceMs });
        break;
      default:
        if (frame.stream === LINK_STREAM) onLinkFrame(frame);
        else onStreamFrame(frame, nowMs);
    }
  }

  function onLinkFrame(frame: StreamFrame): void {
    if (frame.kind !== 'reset') throw malformed(`${frame.kind.toUpperCase()} needs a stream`);
    const code = `link-${resetCodeOf(frame.code)}`;
    finish({ kind: 'error', by: 'peer', code, message: frame.reason });
  }

  function onStreamFrame(frame: StreamFrame, nowMs: number): void {
    if (!hasGreeted) throw malformed(`${frame.kind.toUpperCase()} came before the greeting`);
    const isMessages = frame.stream <= LINK_CLASSES.length;
    if (frame.kind === 'credit') (isMessages ? messages : streams).onCredit(frame.stream, frame.bytes);
    else if (frame.kind === 'reset') {
      if (isMessages) throw malformed(`the messages of stream ${frame.stream} cannot be reset`);
      streams.onReset(frame.stream, frame.code, frame.reason);
    } else if (isMessages) messages.onData(frame, nowMs);
    else streams.onData(frame);
  }

  const nothingWaits = (): boolean =>
    LINK_CLASSES.every((linkClass) => messages.queuedBytes(linkClass) === 0);

  function sayGoodbyeWhenDue(nowMs: number): void {
    if (state !== 'leaving' || goodbye === undefined) return;
    if (!nothingWaits() && nowMs < goodbye.deadlineMs) return;
    const { reason, graceMs } = goodbye;
    control.bye(reason, graceMs);
    finish({ kind: 'bye', by: 'us', reason, graceMs });
  }

  // The accepting side answers once it knows whom: a peer that is refused never takes the link for open.
  if (side === 'dialer') greet();

  return {
    get state() {
      return state;
    },

    receive(bytes, nowMs) {
      if (state === 'ended') return;
      keepalive.heard(nowMs);
      try {
        reader.push(bytes, (frame) => {
          onFrame(frame, nowMs);
          return state !== 'ended';
        });
      } catch (error) {
        fail(error, 'protocol');
      }
    },

    transportClosed: (message) => finish({ kind: 'reset', message }),

    takeOutgoing(maxBytes, nowMs) {
      const chunks = control.take();
      let size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      sayGoodbyeWhenDue(nowMs);
      while (size < maxBytes && (state === 'open' || state === 'leaving')) {
        const frame = outbox.next(nowMs);
        if (frame === undefined) break;
        const bytes = encodeFrame(frame);
        chunks.push(bytes);
        size += bytes.length;
        if (frame.stream > LINK_CLASSES.length) streams.sent(frame);
        sayGoodbyeWhenDue(nowMs);
      }
      chunks.push(...control.take());
      if (chunks.length === 0) return undefined;
      return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    },

    tick(nowMs) {
      if (state === 'ended') return;
      sayGoodbyeWhenDue(nowMs);
      if (state === 'greeting' && nowMs - options.nowMs >= settings.helloTimeoutMs) {
        return finish({ kind: 'silent', silentMs: nowMs - options.nowMs });
      }
      const { ping, silentMs } = keepalive.tick(nowMs);
      if (silentMs !== undefined) return finish({ kind: 'silent', silentMs });
      if (ping && state !== 'greeting') {
        pingNonce = (pingNonce + 1) % 128;
        control.ping(pingNonce);
      }
    },

    wakeAtMs() {
      if (state === 'ended') return Number.POSITIVE_INFINITY;
      const helloMs =
        state === 'greeting' ? options.nowMs + settings.helloTimeoutMs : Number.POSITIVE_INFINITY;
      return Math.min(keepalive.wakeAtMs(), helloMs, goodbye?.deadlineMs ?? Number.POSITIVE_INFINITY);
    },

    send: (message, nowMs) => state === 'open' && messages.send(message, nowMs),
    queuedBytes: (linkClass) => messages.queuedBytes(linkClass),
    openStream: (linkClass, metadata) => (state === 'open' ? streams.open(linkClass, metadata) : undefined),
    writeStream: (id, bytes) =>
      state === 'open' || state === 'leaving' ? streams.write(id, bytes) : undefined,
    endStream: (id) => streams.end(id),
    resetStream: (id, code, reason) => streams.reset(id, code, reason),
    consumed: (id, bytes) => streams.consumed(id, bytes),

    bye(reason, graceMs, nowMs) {
      if (!move('leaving')) return;
      const wholeMs = Math.round(Math.min(Math.max(graceMs, 0), MAX_GRACE_MS));
      // What waits on a replaced link would arrive out of order beside the new one.
      const drainMs = reason === 'superseded' ? 0 : settings.drainMs;
      goodbye = { reason, graceMs: wholeMs, deadlineMs: nowMs + drainMs };
    },

    close: () => finish({ kind: 'closed' }),
  };
}
