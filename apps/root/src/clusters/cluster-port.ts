import type { Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { OakestraError } from '@oakestra/contracts';
import { serverCredentials } from '@oakestra/contracts/link/grpc';
import { type PeerAddress, parsePeerAddress } from '@oakestra/contracts/registration';
import { type Clock, createSniffingServer, type ListenAddress, type Logger } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';

export interface ClusterPortOptions {
  readonly server: Server;
  readonly tls: TlsIdentity;
  /** May a peer at this address do without encryption and certificate? */
  readonly isLegacyAddress: (address: string) => boolean;
  /** Where a connection comes from that somebody passed on. */
  readonly originOf: (peer: PeerAddress | undefined) => PeerAddress | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where clusters come in: gRPC with mutual TLS, and in plain text from where old peers are admitted. */
export interface ClusterPort {
  /** Resolves to the port, which is a free one when 0 was asked for. */
  listen(address: Required<ListenAddress>): Promise<number>;
  /** Serves a connection that came in elsewhere. */
  take(socket: Socket): void;
  /** Cuts everything. */
  stop(): Promise<void>;
}

export function createClusterPort(options: ClusterPortOptions): ClusterPort {
  const { server, isLegacyAddress, originOf, clock, logger } = options;
  const secure = server.createConnectionInjector(serverCredentials(options.tls));
  const plain = server.createConnectionInjector(ServerCredentials.createInsecure());

  const admit = (socket: Socket): void => {
    const peer = parsePeerAddress(`${socket.remoteAddress}:${socket.remotePort}`);
    const address = originOf(peer)?.address ?? '';
    if (!isLegacyAddress(address)) {
      logger.warn(
        'a connection without encryption was refused; --allow-legacy admits clusters of the original',
        {
          address,
        },
      );
      socket.destroy();
      return;
    }
    // Where another root passed it on, the socket is one of TLS, and what it carries is not what that agreed on.
    if ('alpnProtocol' in socket) Object.defineProperty(socket, 'alpnProtocol', { value: undefined });
    plain.injectConnection(socket);
  };
  const sniffing = createSniffingServer({
    onTls: (socket) => secure.injectConnection(socket),
    onPlain: admit,
    clock,
  });

  return {
    async listen(address) {
      try {
        return (await sniffing.listen(address)).port;
      } catch (cause) {
        const where = `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
        const reason = (cause as Error).message;
        throw new OakestraError(
          'unavailable',
          'port-taken',
          `Cannot listen on ${where} for clusters: ${reason}. Stop what uses the port or set --cluster-port`,
          { cause },
        );
      }
    },
    take: sniffing.take,
    async stop() {
      server.forceShutdown();
      await sniffing.close();
    },
  };
}
