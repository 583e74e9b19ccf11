import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { type Clock, createSniffingServer, handOverTo, type ListenAddress } from '@oakestra/daemon';
import { type TlsIdentity, tlsServerOptions } from '@oakestra/pki';
import type { FastifyServerFactory } from 'fastify';

/** HTTPS and HTTP on one port, told apart by the first byte. */
export interface DualServer {
  /** For Fastify: both servers get its handler. */
  readonly serverFactory: FastifyServerFactory;
  /** Answers a request that came over another connection. */
  answer(request: IncomingMessage, response: ServerResponse): void;
  /** Resolves to the port, which is a free one when 0 was asked for. */
  listen(address: ListenAddress): Promise<number>;
  /**
   * Accepts nothing more, lets the requests under way be answered and ends their connections. What is still open
   * after a second is cut.
   */
  close(): Promise<void>;
}

const DRAIN_MS = 1000;
/** Whoever sends that slowly is cut off: a request comes whole within a minute, over any line that works at all. */
const LIMITS = { headersTimeout: 20_000, requestTimeout: 60_000, connectionsCheckingInterval: 5000 };

/** Offers nothing but HTTP/2, which is what gRPC does and no browser. */
const isGrpc = (offered: readonly string[]): boolean =>
  offered.length > 0 && offered.every((name) => name === 'h2');

/** `onGrpc` gets connections of clusters, as they came; default: there are none here. */
export function createDualServer(
  tls: TlsIdentity,
  clock: Clock,
  { onGrpc }: { readonly onGrpc?: (socket: Socket) => void } = {},
): DualServer {
  const plain = createHttpServer(LIMITS);
  // Machines may show a certificate. The handshake names our authority, so browsers ask nobody who has none of it.
  const secure = createHttpsServer({
    ...tlsServerOptions(tls, { requireClientCertificate: false }),
    ...LIMITS,
  });
  const toSecure = handOverTo(secure);
  const sniffing = createSniffingServer({
    onTls(socket, offered) {
      if (onGrpc === undefined || !isGrpc(offered)) {
        toSecure(socket);
        return;
      }
      sniffing.release(socket);
      onGrpc(socket);
    },
    onPlain: handOverTo(plain),
    clock,
  });
  const answering = new Set<ServerResponse>();
  let isClosing = false;
  let handle: Parameters<FastifyServerFactory>[0] | undefined;

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    answering.add(response);
    response.once('close', () => answering.delete(response));
    if (isClosing) response.shouldKeepAlive = false;
    handle?.(request, response);
  };

  return {
    answer,
    serverFactory(handler) {
      handle = handler;
      plain.on('request', answer);
      secure.on('request', answer);
      return plain as Server;
    },
    async listen(address) {
      return (await sniffing.listen(address)).port;
    },
    async close() {
      isClosing = true;
      for (const response of answering) if (!response.headersSent) response.shouldKeepAlive = false;
      for (const server of [plain, secure]) server.closeIdleConnections();
      await sniffing.close(DRAIN_MS);
    },
  };
}
