import type { PeerCertificate, TLSSocket, TlsOptions } from 'node:tls';
import { OakestraError } from '@oakestra/contracts';
import { type PeerIdentity, type PeerRole, peerIdentity } from './peer-identity.ts';
import type { TlsIdentity } from './tls-identity.ts';

interface Credentials {
  ca: string;
  cert: string;
  key: string;
  minVersion: 'TLSv1.2';
}

/** Without a maximum, both sides agree on TLS 1.3 wherever both know it. */
function credentials({ caPem, certificatePem, keyPem }: TlsIdentity): Credentials {
  return { ca: caPem, cert: certificatePem, key: keyPem.reveal(), minVersion: 'TLSv1.2' };
}

export interface TlsServerPolicy {
  /**
   * True: the handshake fails without a certificate of our authority. False: it is asked for, and
   * {@link verifiedPeer} says whether there was one, for ports that old peers use as well.
   */
  readonly requireClientCertificate: boolean;
}

/** Options for `tls.createServer`, `https.createServer` and the like. They hold the private key: do not log them. */
export function tlsServerOptions(identity: TlsIdentity, policy: TlsServerPolicy): TlsOptions {
  return {
    ...credentials(identity),
    requestCert: true,
    rejectUnauthorized: policy.requireClientCertificate,
  };
}

export interface TlsClientPolicy {
  /** What the server has to be. */
  readonly serverRole: PeerRole;
  /** Where known: which one it has to be. */
  readonly serverName?: string;
}

/** Says why a server's certificate, already verified against our authority, is not the expected one. */
export function checkServerRole(
  certificate: PeerCertificate,
  policy: TlsClientPolicy,
): OakestraError | undefined {
  const peer = peerIdentity(certificate);
  const wanted =
    policy.serverName === undefined ? policy.serverRole : `${policy.serverRole} ${policy.serverName}`;
  if (peer?.role === policy.serverRole && (policy.serverName ?? peer.name) === peer.name) {
    return undefined;
  }
  const found = peer === undefined ? 'a certificate without identity' : `${peer.role} ${peer.name}`;
  return new OakestraError(
    'forbidden',
    'tls-wrong-server',
    `The server is ${found}, expected ${wanted}. Check the configured address.`,
    { details: { expected: policy, ...(peer === undefined ? {} : { found: peer }) } },
  );
}

export interface TlsClientOptions extends Credentials {
  rejectUnauthorized: true;
  checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/**
 * Options for `tls.connect`, `https.request` and the like (`ca`, `cert`, `key`, `checkServerIdentity` for gRPC).
 * A server is accepted for its role in a certificate of our authority, whatever the address: inside of clusters
 * addresses change and stand behind NAT. They hold the private key: do not log them.
 */
export function tlsClientOptions(identity: TlsIdentity, policy: TlsClientPolicy): TlsClientOptions {
  return {
    ...credentials(identity),
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => checkServerRole(certificate, policy),
  };
}

/** Who is on the other end of a server's connection; undefined without a valid certificate of our authority. */
export function verifiedPeer(socket: TLSSocket): PeerIdentity | undefined {
  return socket.authorized ? peerIdentity(socket.getPeerCertificate()) : undefined;
}

/** The peer of a server's connection, if it may speak here; else `unauthenticated` or `forbidden`. */
export function requirePeer(socket: TLSSocket, roles: readonly PeerRole[]): PeerIdentity {
  const peer = verifiedPeer(socket);
  if (peer === undefined) {
    throw new OakestraError(
      'unauthenticated',
      'tls-certificate-required',
      'This port needs a client certificate of the authority of this installation. Join first, or renew it.',
    );
  }
  if (!roles.includes(peer.role)) {
    throw new OakestraError(
      'forbidden',
      'tls-wrong-role',
      `A ${peer.role} may not use this port; it is for: ${roles.join(', ')}.`,
      { details: { found: peer, roles } },
    );
  }
  return peer;
}
