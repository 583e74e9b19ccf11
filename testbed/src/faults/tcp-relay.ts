import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

export interface TcpRelayOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** Added to each direction; default 0. */
  readonly delayMs?: number;
}

/** A line between a client and a server that can be made slow, silent or broken. */
export interface TcpRelay {
  readonly port: number;
  readonly address: string;
  connectionCount(): number;
  /** For what passes from now on, in each direction. */
  setDelay(delayMs: number): void;
  /** Nothing passes any more, in neither direction, and nobody is told: as if a router had died. */
  hold(): void;
  /** What was held passes now. */
  release(): void;
  /** Resets all connections; new ones are taken. */
  reset(): void;
  /** Resets all connections and refuses new ones until `accept()`. */
  refuse(): void;
  accept(): void;
  close(): Promise<void>;
}

interface Weather {
  delayMs: number;
  isHeld: boolean;
  isRefusing: boolean;
  /** Called when `isHeld` ends. */
  readonly waiting: Set<() => void>;
}

export async function startTcpRelay({
  target,
  address = '127.0.0.1',
  port = 0,
  delayMs = 0,
}: TcpRelayOptions): Promise<TcpRelay> {
  const weather: Weather = { delayMs, isHeld: false, isRefusing: false, waiting: new Set() };
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (weather.isRefusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ ...target, allowHalfOpen: true, noDelay: true });
    join(client, upstream);
  });
  const join = (client: Socket, upstream: Socket) => {
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(slowLine(weather)).pipe(to);
      from.on('error', () => to.resetAndDestroy());
      from.on('close', () => {
        sockets.delete(from);
        if (!from.readableEnded) to.destroy();
      });
    }
  };
  const resetAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port }, resolve);
  });
  return {
    address,
    port: (server.address() as { port: number }).port,
    connectionCount: () => sockets.size / 2,
    setDelay(next) {
      weather.delayMs = next;
    },
    hold() {
      weather.isHeld = true;
    },
    release() {
      weather.isHeld = false;
      for (const go of weather.waiting) go();
      weather.waiting.clear();
    },
    reset: resetAll,
    refuse() {
      weather.isRefusing = true;
      resetAll();
    },
    accept() {
      weather.isRefusing = false;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      resetAll();
      await closed;
    },
  };
}

/**
 * Hands each part on when its delay is over, in order. Parts travel at the same time, so a delay does not lower the
 * throughput; a bounded number is under way, then the sender has to wait.
 */
function slowLine(weather: Weather): Transform {
  const MAX_BYTES_UNDER_WAY = 16 * 1024 * 1024;
  let bytesUnderWay = 0;
  let resume: (() => void) | undefined;
  let last: Promise<void> = Promise.resolve();
  const later = (part: Buffer | undefined, arrive: () => void) => {
    const dueMs = performance.now() + weather.delayMs;
    const before = last;
    last = (async () => {
      await before;
      const restMs = dueMs - performance.now();
      if (restMs > 0) await new Promise((wake) => setTimeout(wake, restMs));
      if (weather.isHeld) await new Promise<void>((go) => weather.waiting.add(go));
      bytesUnderWay -= part?.length ?? 0;
      arrive();
      resume?.();
      resume = undefined;
    })();
  };
  return new Transform({
    transform(part: Buffer, _encoding, done) {
      bytesUnderWay += part.length;
      later(part, () => {
        if (!this.destroyed) this.push(part);
      });
      if (bytesUnderWay < MAX_BYTES_UNDER_WAY) done();
      else resume = done;
    },
    flush(done) {
      later(undefined, done);
    },
  });
}
