import { OakestraError } from '../errors.ts';
import type { LinkClass } from './classes.ts';
import { describeLinkEnd, type LinkEnd, type LinkResetCode, resetCodeOf } from './link-end.ts';
import type { LinkSession } from './session.ts';
import type { StreamMetadata } from './stream-table.ts';

/** How a stream ended: both sides finished, one of them cut it short, or the link ended. */
export type StreamEnd =
  | { readonly kind: 'finished' }
  | {
      readonly kind: 'reset';
      readonly by: 'us' | 'peer';
      readonly code: LinkResetCode;
      readonly reason: string;
    }
  | { readonly kind: 'link-ended'; readonly end: LinkEnd };

/** A byte stream on a link, both directions, each with flow control. */
export interface LinkStream {
  readonly linkClass: LinkClass;
  /** What it is for, said by the side that opened it. */
  readonly metadata: StreamMetadata;
  /**
   * Queues bytes, which must not be changed afterwards. Resolves when there is room for more: `true`, or `false` when
   * the stream is over and nothing more can be sent. Never rejects.
   */
  write(bytes: Uint8Array): Promise<boolean>;
  /** No more bytes from this side. */
  end(): void;
  /** Cuts the stream short in both directions; what waits is thrown away. */
  reset(code: LinkResetCode, reason: string): void;
  /**
   * The bytes of the peer, for one reader. The peer may send on only as they are read. Ends when the peer ends; throws
   * `unavailable` / `link-stream-reset` when the stream is cut short.
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array>;
  /** Settles when the stream is over; never rejects. A stream without a reader is not over before it was read. */
  readonly closed: Promise<StreamEnd>;
}

/** The stream and what the connection tells it. */
export interface StreamShell {
  readonly stream: LinkStream;
  onData(bytes: Uint8Array): void;
  onEnd(): void;
  onReset(code: number, reason: string): void;
  onSent(queuedBytes: number): void;
  onLinkEnd(end: LinkEnd): void;
}

export interface StreamShellOptions {
  readonly id: number;
  readonly linkClass: LinkClass;
  readonly metadata: StreamMetadata;
  readonly session: LinkSession;
  /** Something is to be sent. */
  flush(): void;
  /** The stream is over; it can be forgotten. */
  onOver(): void;
}

/** Bytes that may wait in a stream before `write` makes the writer wait. */
const ROOM_BYTES = 64 * 1024;

export function createStreamShell(options: StreamShellOptions): StreamShell {
  const { id, linkClass, metadata, session, flush } = options;
  const unread: Uint8Array[] = [];
  let reader: (() => void) | undefined;
  let writers: ((hasRoom: boolean) => void)[] = [];
  let hasPeerEnded = false;
  let hasEnded = false;
  let over: StreamEnd | undefined;
  let settleClosed: (end: StreamEnd) => void = () => {};
  const closed = new Promise<StreamEnd>((resolve) => {
    settleClosed = resolve;
  });

  function wakeReader(): void {
    const waiting = reader;
    reader = undefined;
    waiting?.();
  }

  function finish(end: StreamEnd): void {
    if (over !== undefined) return;
    over = end;
    if (end.kind !== 'finished') unread.length = 0;
    for (const resolve of writers) resolve(false);
    writers = [];
    wakeReader();
    options.onOver();
    settleClosed(end);
  }

  function finishWhenDone(): void {
    if (hasPeerEnded && hasEnded && unread.length === 0) finish({ kind: 'finished' });
  }

  function reset(code: LinkResetCode, reason: string): void {
    if (over !== undefined) return;
    session.resetStream(id, code, reason);
    flush();
    finish({ kind: 'reset', by: 'us', code, reason });
  }

  async function next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const bytes = unread.shift();
      if (bytes !== undefined) {
        session.consumed(id, bytes.length);
        flush();
        finishWhenDone();
        return { done: false, value: bytes };
      }
      if (over !== undefined && over.kind !== 'finished') throw streamError(over);
      if (hasPeerEnded) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        reader = resolve;
      });
    }
  }

  const stream: LinkStream = {
    linkClass,
    metadata,
    closed,
    reset,
    write(bytes) {
      if (over !== undefined || hasEnded) return Promise.resolve(false);
      const queuedBytes = session.writeStream(id, bytes);
      if (queuedBytes === undefined) return Promise.resolve(false);
      flush();
      if (queuedBytes <= ROOM_BYTES) return Promise.resolve(true);
      return new Promise((resolve) => writers.push(resolve));
    },
    end() {
      if (over !== undefined || hasEnded) return;
      hasEnded = true;
      session.endStream(id);
      flush();
      finishWhenDone();
    },
    [Symbol.asyncIterator]: () => ({
      next,
      // The reader lost interest (`break`): the peer need not go on.
      async return() {
        if (!hasPeerEnded) reset('cancelled', 'no longer read');
        return { done: true, value: undefined };
      },
    }),
  };

  return {
    stream,
    onData(bytes) {
      unread.push(bytes);
      wakeReader();
    },
    onEnd() {
      hasPeerEnded = true;
      wakeReader();
      finishWhenDone();
    },
    onReset: (code, reason) => finish({ kind: 'reset', by: 'peer', code: resetCodeOf(code), reason }),
    onSent(queuedBytes) {
      if (queuedBytes > ROOM_BYTES / 2 || writers.length === 0) return;
      const resumed = writers;
      writers = [];
      for (const resolve of resumed) resolve(true);
    },
    onLinkEnd: (end) => finish({ kind: 'link-ended', end }),
  };
}

function streamError(end: Exclude<StreamEnd, { kind: 'finished' }>): OakestraError {
  const why =
    end.kind === 'reset'
      ? `${end.by === 'us' ? 'this side' : 'the peer'} cut it: ${end.reason}`
      : describeLinkEnd(end.end);
  return new OakestraError('unavailable', 'link-stream-reset', `the stream ended early, ${why}`);
}
