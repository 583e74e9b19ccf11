import type { PeerCertificate } from 'node:tls';
import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import { messageOf, OakestraError } from '../../errors.ts';
import { type PeerAddress, parsePeerAddress } from '../../registration/peer-address.ts';
import { type AcceptorOptions, createLinkAcceptor, type LinkAcceptor } from '../accept.ts';
import { serverCallTransport } from './call-transport.ts';
import { type Chunk, LinkService } from './link.gen.ts';
import { grpcStatusOf } from './status.ts';

/** Who wants to open a link. */
export interface LinkCaller {
  /** Verified against the server's authority. */
  readonly certificate: PeerCertificate;
  readonly address: PeerAddress | undefined;
}

export interface AcceptLinksOptions extends AcceptorOptions {
  /** A server with TLS that asks for client certificates (`serverCredentials`). */
  readonly server: Server;
  /** The name of the caller, or a throw that refuses it. The greeting of the peer has to say the same name. */
  authorize(caller: LinkCaller): string | Promise<string>;
}

/**
 * Serves links on a gRPC server. Callers without a verified certificate are always refused. Stop it before the server.
 */
export function acceptLinks(options: AcceptLinksOptions): Pick<LinkAcceptor, 'connection' | 'stop'> {
  const { server, log } = options;
  const acceptor = createLinkAcceptor(options);

  async function open(call: ServerDuplexStream<Chunk, Chunk>): Promise<void> {
    const transport = serverCallTransport(call);
    const address = parsePeerAddress(call.getPeer());
    try {
      const certificate = call.getAuthContext().sslPeerCertificate;
      if (certificate === undefined) {
        const text = 'a link needs a certificate of this installation: join the cluster first';
        throw new OakestraError('unauthenticated', 'link-no-certificate', text);
      }
      const name = await options.authorize({ certificate, address });
      acceptor.accept(name, transport);
    } catch (error) {
      log?.warn('a link was refused', { address: address?.address, reason: messageOf(error) });
      call.emit('error', grpcStatusOf(error));
    }
  }

  server.addService(LinkService, { open: (call: ServerDuplexStream<Chunk, Chunk>) => void open(call) });
  return {
    connection: acceptor.connection,
    async stop(bye) {
      server.removeService(LinkService);
      await acceptor.stop(bye);
    },
  };
}
