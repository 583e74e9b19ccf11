import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type Clock, createSniffingServer, handOverTo, type ListenAddress } from '@oakestra/daemon';
import { type TlsIdentity, tlsServerOptions } from '@oakestra/pki';
import type { FastifyServerFactory } from 'fastify';

/** HTTPS and HTTP on one port, told apart by the first byte (design decision 6). */
export interface DualServer {
  /** For Fastify: both servers get its handler. */
  readonly serverFactory: FastifyServerFactory;
  listen(address: ListenAddress): Promise<void>;
  close(): Promise<void>;
}

const DRAIN_MS = 1000;

export function createDualServer(tls: TlsIdentity, clock: Clock): DualServer {
  const plain = createHttpServer();
  const { cert, key, minVersion } = tlsServerOptions(tls, { requireClientCertificate: false });
  // Users come with passwords and tokens; browsers would only ask people for a certificate.
  const secure = createHttpsServer({ cert, key, minVersion });
  const sniffing = createSniffingServer({ onTls: handOverTo(secure), onPlain: handOverTo(plain), clock });

  return {
    serverFactory(handler) {
      plain.on('request', handler);
      secure.on('request', handler);
      return plain as Server;
    },
    async listen(address) {
      await sniffing.listen(address);
    },
    async close() {
      for (const server of [plain, secure]) server.closeIdleConnections();
      await sniffing.close(DRAIN_MS);
    },
  };
}
