import type { PeerCertificate } from 'node:tls';
import { checkServerIdentity } from 'node:tls';
import { type ChannelCredentials, credentials, ServerCredentials } from '@grpc/grpc-js';
import { messageOf } from '../../errors.ts';
import type { Sensitive } from '../../sensitive.ts';

/** Our own certificate and the authority that every peer's certificate has to come from. All PEM. */
export interface GrpcTls {
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: Sensitive;
}

/** How the dialling side knows that it talks to the right one. */
export interface ServerCheck {
  /** Name that the server's certificate must carry. Default: the host of the endpoint. */
  readonly serverName?: string;
  /** Looks at the server's certificate once its name was checked; throws to refuse it. */
  readonly checkServer?: (certificate: PeerCertificate) => void;
}

/** Credentials of a client that shows its certificate and checks that of the server. */
export function clientCredentials(tls: GrpcTls, check: ServerCheck = {}): ChannelCredentials {
  return credentials.createSsl(
    Buffer.from(tls.caPem),
    Buffer.from(tls.keyPem.reveal()),
    Buffer.from(tls.certificatePem),
    {
      checkServerIdentity: (host, certificate) => {
        const mismatch = checkServerIdentity(check.serverName ?? host, certificate);
        if (mismatch !== undefined) return mismatch;
        try {
          check.checkServer?.(certificate);
          return undefined;
        } catch (error) {
          return error instanceof Error ? error : new Error(messageOf(error));
        }
      },
    },
  );
}

/** Credentials of a server that takes only clients with a certificate of the authority. */
export function serverCredentials(tls: GrpcTls): ServerCredentials {
  const pair = { private_key: Buffer.from(tls.keyPem.reveal()), cert_chain: Buffer.from(tls.certificatePem) };
  return ServerCredentials.createSsl(Buffer.from(tls.caPem), [pair], true);
}
