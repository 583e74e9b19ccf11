import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import { requirePeer, type TlsIdentity, tlsServerOptions } from '@oakestra/pki';
import { markPassedOn } from '../http/index.ts';

/** What roots say to each other beside what they pass on. */
export const PEER_HEADER = {
  /** Which of the leader's faces is asked. */
  door: 'x-oakestra-door',
  /** IP address of the one who asked the other root. */
  caller: 'x-oakestra-caller',
  /** In an answer: the root does not lead, and has done nothing. */
  untouched: 'x-oakestra-untouched',
} as const;

/** The protocol of an upgrade: what follows are the bytes of a cluster's connection to port 50052. */
export const CLUSTER_PROTOCOL = 'oakestra-cluster';

/** A port for the other roots of the store alone: mutual TLS, and what they pass on counts as from whom they say. */
export interface PeerDoor {
  /** What is behind the door of this name. */
  open(name: string, answer: RequestListener): void;
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  close(): Promise<void>;
}

/** Above the time for which the other side keeps an idle connection: it is never closed under a request. */
const KEEP_ALIVE_MS = 120_000;
const DRAIN_MS = 1000;

export function createPeerDoor(options: {
  readonly tls: TlsIdentity;
  readonly logger: Logger;
  /** A cluster's connection that another root passes on; `caller` is where it comes from. */
  readonly onCluster: (socket: Socket, caller: string) => void;
}): PeerDoor {
  const { tls, logger, onCluster } = options;
  const doors = new Map<string, RequestListener>();
  const sockets = new Set<Socket>();
  const answering = new Set<ServerResponse>();
  const server = createServer({
    ...tlsServerOptions(tls, { requireClientCertificate: true }),
    keepAliveTimeout: KEEP_ALIVE_MS,
  });

  const refusal = (request: IncomingMessage): OakestraError | undefined => {
    try {
      requirePeer(request.socket as TLSSocket, ['root']);
      return undefined;
    } catch (error) {
      logger.warn('somebody who is no root knocked at the door for roots', { reason: messageOf(error) });
      return error as OakestraError;
    }
  };

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', (request, response) => {
    answering.add(response);
    response.once('close', () => answering.delete(response));
    const answer = doors.get(takeHeader(request, PEER_HEADER.door));
    const caller = takeHeader(request, PEER_HEADER.caller);
    if (refusal(request) !== undefined) response.writeHead(403).end();
    else if (answer === undefined) response.writeHead(404).end();
    else {
      markPassedOn(request, caller);
      answer(request, response);
    }
  });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // Over TLS it is one.
    const socket = stream as Socket;
    socket.on('error', () => {});
    if (refusal(request) !== undefined || request.headers.upgrade !== CLUSTER_PROTOCOL) {
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n');
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${CLUSTER_PROTOCOL}\r\n\r\n`,
    );
    if (head.length > 0) socket.unshift(head);
    onCluster(socket, takeHeader(request, PEER_HEADER.caller));
  });

  return {
    open: (name, answer) => void doors.set(name, answer),
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', (cause: Error) => {
          const message = `Cannot listen on ${host}:${port} for the other roots: ${cause.message}. Stop what uses the port or set --peer-port.`;
          reject(new OakestraError('unavailable', 'port-taken', message, { cause }));
        });
        server.listen({ host, port }, () => {
          const address = server.address();
          resolve(typeof address === 'object' && address !== null ? address.port : port);
        });
      }),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // The others ask elsewhere as soon as their answer is there.
      for (const response of answering) if (!response.headersSent) response.shouldKeepAlive = false;
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, DRAIN_MS);
      if (answering.size === 0) for (const socket of sockets) socket.destroy();
      await closed;
      clearTimeout(timer);
    },
  };
}

function takeHeader({ headers }: IncomingMessage, name: string): string {
  const value = headers[name];
  delete headers[name];
  return typeof value === 'string' ? value : '';
}
