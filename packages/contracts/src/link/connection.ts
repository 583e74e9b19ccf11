import { messageOf } from '../errors.ts';
import type { LinkClass, LinkSide, PerClass } from './classes.ts';
import { type ByeReason, MAX_DATA_BYTES } from './frame.ts';
import type { HelloInfo } from './hello.ts';
import type { LinkGap, LinkLedger } from './ledger.ts';
import type { LinkEnd } from './link-end.ts';
import { createStreamShell, type LinkStream, type StreamShell } from './link-stream.ts';
import type { LinkMessage } from './message.ts';
import type { OutgoingMessage } from './message-lanes.ts';
import type { LinkClock, LinkLog } from './ports.ts';
import { createLinkSession, type LinkIdentity, type LinkSession, type LinkSettings } from './session.ts';
import type { StreamMetadata } from './stream-table.ts';
import type { LinkTransport } from './transport.ts';

/** Options of one message; see `OutgoingMessage`. */
export type SendOptions = Pick<OutgoingMessage, 'epoch' | 'deadlineMs' | 'onDropped'>;

/**
 * An open link. Handlers are set in the callback that hands the connection out; what arrives before a handler is set
 * waits for it. A handler that throws or rejects is logged, and the message counts as handled.
 */
export interface LinkConnection {
  /** What the peer said about itself. */
  readonly peer: HelloInfo;
  /** Messages of ours per class, sent on earlier links, that the peer says it never got. */
  readonly missed: PerClass<number>;
  /**
   * Sends a message in this tick. `false` when it was not accepted: the link is ending, or the queue of the class is
   * full (the owner repeats from its state later). Throws `invalid` when the body is larger than the peer takes.
   */
  send(linkClass: LinkClass, type: string, body: unknown, options?: SendOptions): boolean;
  /** Bytes of messages of the class that wait here. */
  queuedBytes(linkClass: LinkClass): number;
  /** Resolves when no message of the class waits here any more, also because the link ended. For pages. */
  drained(linkClass: LinkClass): Promise<void>;
  /** A promise that the handler returns holds back the peer, once a window of unhandled messages is reached. */
  onMessage(handler: (message: LinkMessage) => void | Promise<void>): void;
  /** Messages were lost between two links; the owner compares states. */
  onGap(handler: (gap: LinkGap) => void): void;
  /** Opens a byte stream; `undefined` when the link is ending. */
  openStream(linkClass: LinkClass, metadata: StreamMetadata): LinkStream | undefined;
  /** Without a handler, streams of the peer are refused. */
  onStream(handler: (stream: LinkStream) => void): void;
  /** Sends what waits (at most `drainMs`), says goodbye and closes. Resolves like `closed`. */
  bye(reason: ByeReason, graceMs: number): Promise<LinkEnd>;
  /** Closes at once and without a word, which the peer takes for a failure. */
  close(): void;
  /** Settles when the link has ended; never rejects. */
  readonly closed: Promise<LinkEnd>;
}

export interface OpenLinkOptions {
  readonly transport: LinkTransport;
  readonly side: LinkSide;
  readonly identity: LinkIdentity;
  readonly settings: LinkSettings;
  readonly ledger: LinkLedger;
  readonly clock: LinkClock;
  readonly log?: LinkLog | undefined;
  readonly checkPeer?: ((peer: HelloInfo) => void) | undefined;
  /** The link is open. */
  onUp(connection: LinkConnection): void;
  /** The link ended, or never opened. Once. */
  onDown(end: LinkEnd): void;
}

/** How long a transport may take to send the last bytes. */
const CLOSE_GRACE_MS = 1_000;

/** Runs a link over a transport. The returned function gives it up at once. */
export function openLink(options: OpenLinkOptions): { close(): void } {
  const { transport, side, identity, settings, ledger, clock, log } = options;
  const shells = new Map<number, StreamShell>();
  const drainWaiters: { linkClass: LinkClass; resolve: () => void }[] = [];
  let messageHandler: ((message: LinkMessage) => void | Promise<void>) | undefined;
  let gapHandler: ((gap: LinkGap) => void) | undefined;
  let streamHandler: ((stream: LinkStream) => void) | undefined;
  let early: (() => void)[] = [];
  let isWritable = true;
  let isFlushScheduled = false;
  let isTransportClosed = false;
  let end: LinkEnd | undefined;
  let isDownTold = false;
  let cancelCloseGuard: (() => void) | undefined;
  let timer: { readonly atMs: number; readonly cancel: () => void } | undefined;
  let settleClosed: (end: LinkEnd) => void = () => {};
  const closed = new Promise<LinkEnd>((resolve) => {
    settleClosed = resolve;
  });

  function guarded(what: string, action: () => void | Promise<void>, done?: () => void): void {
    const failed = (error: unknown): void => {
      log?.error('a handler of the link failed', {
        what,
        peer: connection?.peer.name,
        error: messageOf(error),
      });
      done?.();
    };
    try {
      const result = action();
      if (result instanceof Promise) result.then(done, failed);
      else done?.();
    } catch (error) {
      failed(error);
    }
  }

  function flush(): void {
    while (isWritable && !isTransportClosed) {
      const bytes = session.takeOutgoing(MAX_DATA_BYTES, clock.monotonicMs());
      if (bytes === undefined) break;
      isWritable = transport.send(bytes);
    }
    for (let i = drainWaiters.length - 1; i >= 0; i--) {
      const waiter = drainWaiters[i];
      if (waiter === undefined || (end === undefined && session.queuedBytes(waiter.linkClass) > 0)) continue;
      drainWaiters.splice(i, 1);
      waiter.resolve();
    }
    if (end !== undefined && isWritable) transport.close();
    arm();
  }

  /** Everything that is sent in one turn of the event loop goes out together, at the end of the current task. */
  function flushSoon(): void {
    if (isFlushScheduled) return;
    isFlushScheduled = true;
    queueMicrotask(() => {
      isFlushScheduled = false;
      flush();
    });
  }

  /** Traffic only moves the time of waking further away, so a timer that runs is left alone. */
  function arm(): void {
    const atMs = session.wakeAtMs();
    if (timer !== undefined && timer.atMs <= atMs) return;
    timer?.cancel();
    timer = undefined;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const cancel = clock.setTimer(Math.max(0, Math.ceil(atMs - clock.monotonicMs())), () => {
      timer = undefined;
      session.tick(clock.monotonicMs());
      flush();
    });
    timer = { atMs, cancel };
  }

  function tellDown(): void {
    if (isDownTold || end === undefined) return;
    isDownTold = true;
    timer?.cancel();
    timer = undefined;
    const told = end;
    settleClosed(told);
    guarded('onDown', () => options.onDown(told));
  }

  function ended(how: LinkEnd): void {
    end = how;
    timer?.cancel();
    timer = undefined;
    for (const shell of [...shells.values()]) shell.onLinkEnd(how);
    if (how.kind === 'reset' || how.kind === 'closed' || how.kind === 'silent') transport.destroy();
    if (isTransportClosed || !(how.kind === 'bye' && how.by === 'us')) tellDown();
    // Whatever keeps the transport from sending the last bytes must not keep the link alive.
    if (!isTransportClosed) {
      cancelCloseGuard = clock.setTimer(CLOSE_GRACE_MS, () => {
        transport.destroy();
        tellDown();
      });
    }
    flushSoon();
  }

  function addStream(id: number, linkClass: LinkClass, metadata: StreamMetadata): StreamShell {
    const onOver = (): void => void shells.delete(id);
    const shell = createStreamShell({ id, linkClass, metadata, session, flush: flushSoon, onOver });
    shells.set(id, shell);
    return shell;
  }

  function handle(message: LinkMessage, settle: () => void): void {
    const handler = messageHandler;
    if (handler === undefined) {
      early.push(() => handle(message, settle));
      return;
    }
    guarded(
      `onMessage ${message.type}`,
      () => handler(message),
      () => {
        settle();
        flushSoon();
      },
    );
  }

  const session: LinkSession = createLinkSession({
    side,
    identity,
    settings,
    ledger,
    checkPeer: options.checkPeer,
    nowMs: clock.monotonicMs(),
    events: {
      onOpen(peer, missed) {
        const opened = createConnection(peer, missed);
        connection = opened;
        guarded('onUp', () => options.onUp(opened));
      },
      onMessage: handle,
      onGap: (gap) => guarded('onGap', () => gapHandler?.(gap)),
      onStream(id, linkClass, metadata) {
        const handler = streamHandler;
        if (handler === undefined) return session.resetStream(id, 'refused', 'streams are not served here');
        const { stream } = addStream(id, linkClass, metadata);
        guarded('onStream', () => handler(stream));
      },
      onStreamData: (id, bytes) => shells.get(id)?.onData(bytes),
      onStreamEnd: (id) => shells.get(id)?.onEnd(),
      onStreamReset: (id, code, reason) => shells.get(id)?.onReset(code, reason),
      onStreamSent: (id, queuedBytes) => shells.get(id)?.onSent(queuedBytes),
      onEnd: ended,
    },
  });
  let connection: LinkConnection | undefined;

  function createConnection(peer: HelloInfo, missed: PerClass<number>): LinkConnection {
    return {
      peer,
      missed,
      closed,
      send(linkClass, type, body, sendOptions = {}) {
        const isAccepted = session.send({ linkClass, type, body, ...sendOptions }, clock.monotonicMs());
        if (isAccepted) flushSoon();
        return isAccepted;
      },
      queuedBytes: (linkClass) => session.queuedBytes(linkClass),
      drained: (linkClass) =>
        new Promise((resolve) => {
          drainWaiters.push({ linkClass, resolve });
          flushSoon();
        }),
      onMessage(handler) {
        messageHandler = handler;
        const waiting = early;
        early = [];
        for (const deliver of waiting) deliver();
      },
      onGap(handler) {
        gapHandler = handler;
      },
      openStream(linkClass, metadata) {
        const id = session.openStream(linkClass, metadata);
        if (id === undefined) return undefined;
        flushSoon();
        return addStream(id, linkClass, metadata).stream;
      },
      onStream(handler) {
        streamHandler = handler;
      },
      bye(reason, graceMs) {
        session.bye(reason, graceMs, clock.monotonicMs());
        flushSoon();
        return closed;
      },
      close: () => session.close(),
    };
  }

  transport.start({
    onBytes(bytes) {
      session.receive(bytes, clock.monotonicMs());
      flush();
    },
    onDrain() {
      isWritable = true;
      flush();
    },
    onClosed(message) {
      isTransportClosed = true;
      cancelCloseGuard?.();
      session.transportClosed(message);
      tellDown();
    },
  });
  flush();

  return { close: () => session.close() };
}
