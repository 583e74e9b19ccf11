import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { offeredProtocols } from './client-hello.ts';
import type { Clock } from './clock.ts';

/** First byte of a TLS record that carries a handshake, and so of every TLS connection. */
const TLS_HANDSHAKE = 0x16;

export interface SniffingServerOptions {
  /**
   * Gets each connection that begins with TLS, and the application protocols that the client offers:
   * `handOverTo(httpsServer)`.
   */
  readonly onTls: (socket: Socket, offered: readonly string[]) => void;
  /** Gets every other connection: `handOverTo(httpServer)`. */
  readonly onPlain: (socket: Socket) => void;
  readonly clock: Clock;
  /** A connection that has not said for this long what it is, is cut. Default 10 s. */
  readonly firstByteTimeoutMs?: number;
  /** Connections beyond this number are refused. Default: as many as the system allows. */
  readonly maxConnections?: number;
}

export interface ListenAddress {
  /** 0 chooses a free port. */
  readonly port: number;
  /** Default: all addresses, IPv6 and IPv4. */
  readonly host?: string;
}

export interface SniffingServer {
  /** Resolves when connections are accepted; rejects with a {@link ListenError}. */
  listen(address: ListenAddress): Promise<AddressInfo>;
  /**
   * Accepts nothing more, waits up to `drainMs` (default 0) for the connections to end by themselves, then cuts the
   * rest. Idempotent.
   */
  close(drainMs?: number): Promise<void>;
  /** Treats a connection that came in elsewhere like those of its own port. It need not listen. */
  take(socket: Socket): void;
  /** Leaves a connection to somebody else altogether: it is not cut with the others. */
  release(socket: Socket): void;
  /** Open connections, those handed over included. */
  readonly connections: number;
}

/** A port could not be opened. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly kind: 'conflict' | 'forbidden' | 'unavailable';
  readonly code: 'port-in-use' | 'port-denied' | 'listen-failed';

  constructor({ host, port }: ListenAddress, cause: NodeJS.ErrnoException) {
    const where = `${host === undefined ? 'port ' : `${host}:`}${port}`;
    if (cause.code === 'EADDRINUSE') {
      super(`${where} is in use by another program; stop that, or configure another port`, { cause });
      [this.kind, this.code] = ['conflict', 'port-in-use'];
    } else if (cause.code === 'EACCES') {
      super(`${where} may not be opened by this user; run as root, or configure a port above 1023`, {
        cause,
      });
      [this.kind, this.code] = ['forbidden', 'port-denied'];
    } else {
      super(`cannot listen on ${where}: ${cause.message}`, { cause });
      [this.kind, this.code] = ['unavailable', 'listen-failed'];
    }
  }
}

/**
 * A receiver that gives connections to a server of node:http, node:https, node:tls or node:net which does not listen
 * itself. Close that server too: it ends idle connections, which `close` of the sniffing server would wait for.
 */
export function handOverTo(server: Pick<Server, 'emit'>): (socket: Socket) => void {
  // Node enforces its limits on slow requests (headersTimeout, requestTimeout) only from this event on.
  server.emit('listening');
  // As if the server had accepted the connection itself: HTTP copes with half-closed ones, others do not.
  const { allowHalfOpen = false } = server as { allowHalfOpen?: boolean };
  return (socket) => {
    socket.allowHalfOpen = allowHalfOpen;
    server.emit('connection', socket);
  };
}

/**
 * One TCP port for TLS and plaintext, told apart by the first byte. A socket is handed over with nothing consumed and
 * not yet flowing; from then on it belongs to the receiver, which also sets its further timeouts. `close()` cuts
 * handed-over sockets too.
 */
export function createSniffingServer(options: SniffingServerOptions): SniffingServer {
  const { clock, firstByteTimeoutMs = 10_000 } = options;
  const sockets = new Set<Socket>();
  let onEmpty = () => {};
  let isClosing = false;
  let closing: Promise<void> | undefined;

  const take = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) onEmpty();
    });
    sniff(socket);
  };
  const server = createServer({ noDelay: true }, take);
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections;

  const sniff = (socket: Socket) => {
    const cut = () => socket.destroy();
    const cancelTimer = clock.setTimer(firstByteTimeoutMs, cut);
    let seen: Buffer = Buffer.alloc(0);
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const offered = seen[0] === TLS_HANDSHAKE ? offeredProtocols(seen) : undefined;
      if (offered === 'incomplete') return;
      settle();
      socket.unshift(seen);
      // One tick later the stream has forgotten our listener, and would no longer overrule a receiver that pauses it.
      process.nextTick(handOver, socket, offered);
    };
    const settle = () => {
      cancelTimer();
      socket.off('readable', onReadable).off('end', cut).off('close', settle);
    };
    // A reset by the peer is no event of ours; without a listener it would end the process.
    socket.on('error', () => {});
    socket.on('readable', onReadable).on('end', cut).on('close', settle);
  };

  const handOver = (socket: Socket, offered: readonly string[] | undefined) => {
    if (socket.destroyed) return;
    if (offered === undefined) options.onPlain(socket);
    else options.onTls(socket, offered);
  };

  const emptied = new Promise<void>((resolve) => {
    onEmpty = () => {
      if (isClosing) resolve();
    };
  });
  const closeOnce = async (drainMs: number) => {
    isClosing = true;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    if (sockets.size > 0) {
      const cutAll = () => {
        for (const socket of sockets) socket.destroy();
      };
      if (drainMs <= 0) cutAll();
      const cancelTimer = clock.setTimer(Math.max(drainMs, 0), cutAll);
      await emptied;
      cancelTimer();
    }
    await closed;
  };

  return {
    listen: (address) =>
      new Promise((resolve, reject) => {
        const onError = (error: NodeJS.ErrnoException) => reject(new ListenError(address, error));
        server.once('error', onError);
        server.listen({ port: address.port, host: address.host }, () => {
          server.off('error', onError);
          // Failures to accept (no descriptors left) are temporary; the listener stays.
          server.on('error', () => {});
          resolve(server.address() as AddressInfo);
        });
      }),
    take,
    release(socket) {
      if (sockets.delete(socket) && sockets.size === 0) onEmpty();
    },
    close(drainMs = 0) {
      closing ??= closeOnce(drainMs);
      return closing;
    },
    get connections() {
      return sockets.size;
    },
  };
}
