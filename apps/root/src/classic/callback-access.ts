import { TLSSocket } from 'node:tls';
import { OakestraError } from '@oakestra/contracts';
import { type PeerIdentity, verifiedPeer } from '@oakestra/pki';
import type { FastifyRequest } from 'fastify';
import { callerAddress, isPassedOn } from '../http/index.ts';
import { bearerToken, type Identity, isRootAdmin } from '../identity/index.ts';

/**
 * Who calls back: a peer of the original, known by its address alone; the holder of a certificate; or an administrator
 * by a token, who may speak for any of them.
 */
export type CallbackCaller =
  | { readonly kind: 'address' }
  | { readonly kind: 'certificate'; readonly peer: PeerIdentity }
  | { readonly kind: 'administrator' };

/** Says who calls (root-api 4.7, Q47); rejects whoever has neither address, certificate nor token for it. */
export function callbackAccess(options: {
  readonly identity: Pick<Identity, 'authenticate'>;
  readonly isLegacyAddress: (address: string) => boolean;
}): (request: FastifyRequest) => Promise<CallbackCaller> {
  return async (request) => {
    const { socket, headers } = request;
    if (options.isLegacyAddress(callerAddress(request))) return { kind: 'address' };
    // Where it was passed on, the certificate is that of the other root.
    const isDirect = socket instanceof TLSSocket && !isPassedOn(request);
    const peer = isDirect ? verifiedPeer(socket) : undefined;
    if (peer !== undefined && headers.authorization === undefined) return { kind: 'certificate', peer };
    const caller = await options.identity.authenticate(bearerToken(headers.authorization));
    if (isRootAdmin(caller)) return { kind: 'administrator' };
    throw new OakestraError('forbidden', 'role-missing', 'You have not enough permissions!');
  };
}

/** A certificate speaks for the cluster that it names, and for nobody else. */
export function requireSpeakerOf(caller: CallbackCaller, clusterName: string | undefined): void {
  if (caller.kind !== 'certificate') return;
  if (caller.peer.role === 'cluster' && caller.peer.name === clusterName) return;
  throw new OakestraError(
    'forbidden',
    'report-not-own',
    'A certificate reports for the cluster that it names, and for no other.',
  );
}

/** Placing is for schedulers: a program of the root, or one of the administrator. */
export function requireScheduler(caller: CallbackCaller): void {
  if (caller.kind !== 'certificate' || ['root', 'client'].includes(caller.peer.role)) return;
  throw new OakestraError(
    'forbidden',
    'placement-not-own',
    `A ${caller.peer.role} does not place instances.`,
  );
}
