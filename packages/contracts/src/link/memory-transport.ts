import type { LinkTransport, TransportEvents } from './transport.ts';

/** Two ends of a connection within the process, with faults. For tests and simulation. */
export interface MemoryLink {
  readonly dialer: LinkTransport;
  readonly acceptor: LinkTransport;
  /** Delivers everything that is on the way, until nothing moves. Only needed with `manual`. */
  pump(): void;
  /** Breaks the connection now; what is on the way is lost. */
  cut(): void;
  /** Breaks it after `bytes` more bytes were delivered from the dialling to the accepting side. */
  cutAfter(bytes: number): void;
}

export interface MemoryLinkOptions {
  /** Bytes move only in `pump()`; otherwise by themselves in a microtask. */
  readonly manual?: boolean;
  /** Bytes that an end keeps before `send` returns `false`. Default 16 KiB. */
  readonly highWaterBytes?: number;
}

interface End {
  readonly transport: LinkTransport;
  events: TransportEvents | undefined;
  /** On the way to the other end. */
  queue: Uint8Array[];
  queuedBytes: number;
  isFull: boolean;
  isClosing: boolean;
  isClosed: boolean;
}

export function createMemoryLink(options: MemoryLinkOptions = {}): MemoryLink {
  const highWaterBytes = options.highWaterBytes ?? 16 * 1024;
  let isScheduled = false;
  let cutAfterBytes = Number.POSITIVE_INFINITY;

  function schedule(): void {
    if (options.manual || isScheduled) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      pump();
    });
  }

  function createEnd(): End {
    const end: End = {
      events: undefined,
      queue: [],
      queuedBytes: 0,
      isFull: false,
      isClosing: false,
      isClosed: false,
      transport: {
        start(events) {
          end.events = events;
          schedule();
        },
        send(bytes) {
          if (end.isClosing || end.isClosed) return true;
          end.queue.push(bytes);
          end.queuedBytes += bytes.length;
          end.isFull = end.queuedBytes >= highWaterBytes;
          schedule();
          return !end.isFull;
        },
        close() {
          end.isClosing = true;
          schedule();
        },
        destroy: () => breakBoth('the connection was cut here'),
      },
    };
    return end;
  }

  const dialer = createEnd();
  const acceptor = createEnd();

  function closed(end: End, message: string): void {
    if (end.isClosed) return;
    end.isClosed = true;
    end.queue = [];
    end.events?.onClosed(message);
  }

  function breakBoth(message: string): void {
    closed(dialer, message);
    closed(acceptor, message);
  }

  /** Moves what `from` has sent; tells whether anything happened. */
  function move(from: End, to: End): boolean {
    if (to.events === undefined || from.isClosed) return false;
    const bytes = from.queue.shift();
    if (bytes === undefined) {
      if (!from.isClosing) return false;
      breakBoth('the connection was closed');
      return true;
    }
    from.queuedBytes -= bytes.length;
    const passing = from === dialer ? bytes.subarray(0, cutAfterBytes) : bytes;
    if (from === dialer) cutAfterBytes -= passing.length;
    if (passing.length > 0) to.events.onBytes(passing);
    if (passing.length < bytes.length) breakBoth('the connection was cut');
    if (from.isFull && from.queuedBytes < highWaterBytes && !from.isClosed) {
      from.isFull = false;
      from.events?.onDrain();
    }
    return true;
  }

  function pump(): void {
    for (let isMoving = true; isMoving; ) {
      const isDown = move(dialer, acceptor);
      isMoving = move(acceptor, dialer) || isDown;
    }
  }

  return {
    dialer: dialer.transport,
    acceptor: acceptor.transport,
    pump,
    cut: () => breakBoth('the connection was cut'),
    cutAfter(bytes) {
      cutAfterBytes = bytes;
    },
  };
}
