import { TLSSocket } from 'node:tls';
import { OakestraError } from '@oakestra/contracts';
import { type PeerRole, verifiedPeer } from '@oakestra/pki';
import type { FastifyRequest } from 'fastify';
import { callerAddress, isPassedOn } from '../http/index.ts';
import { bearerToken, type Identity, isRootAdmin } from '../identity/index.ts';

export interface AbstractorAccess {
  readonly identity: Pick<Identity, 'authenticate'>;
  /** Callers that need to prove nothing: those within the allowed legacy address ranges. Default: nobody. */
  readonly isLegacyAddress?: (address: string) => boolean;
  /** Holders of a certificate of our authority in one of these roles. Default: `client` and `root`. */
  readonly roles?: readonly PeerRole[];
}

/**
 * Who may use the abstractor, which knows no owners: administrators by their token, our own programs by their
 * certificate (where the listener asks for one), and old programs by their address.
 */
export function abstractorAccess({
  identity,
  isLegacyAddress = () => false,
  roles = ['client', 'root'],
}: AbstractorAccess): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    if (isLegacyAddress(callerAddress(request)) || hasCertificate(request, roles)) return;
    const caller = await identity.authenticate(bearerToken(request.headers.authorization));
    if (isRootAdmin(caller)) return;
    throw new OakestraError('forbidden', 'role-missing', 'You have not enough permissions!');
  };
}

function hasCertificate(request: FastifyRequest, roles: readonly PeerRole[]): boolean {
  const { socket } = request;
  // The certificate of a root that passes something on says nothing about who asks.
  const peer = socket instanceof TLSSocket && !isPassedOn(request) ? verifiedPeer(socket) : undefined;
  return peer !== undefined && roles.includes(peer.role);
}
