import type { IncomingMessage } from 'node:http';
import { type Agent, request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@oakestra/daemon';
import { PEER_HEADER } from './peer-door.ts';

export interface PassedOnRequest {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer | undefined;
  readonly door: string;
  readonly callerAddress: string;
}

/** What became of a request that was passed on. */
export type Outcome =
  | { readonly kind: 'answered'; readonly response: IncomingMessage }
  /** It has surely had no effect. */
  | { readonly kind: 'untouched'; readonly reason: string }
  /** It was sent, and nobody knows what became of it. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Of this connection, not of the request. */
const HOP_BY_HOP = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'expect', 'content-length'],
]);

export function endToEnd(headers: IncomingMessage['headers']): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name)) kept[name] = value;
  }
  return kept;
}

/** Splits `host:port`, IPv6 in brackets. */
export function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}

const CONNECT_MS = 3000;
const KEEPALIVE_MS = 5000;

/** Asks another root. Aborting `signal` cuts the request, also in the middle of its answer. */
export function askLeader(
  address: string,
  asked: PassedOnRequest,
  { agent, signal, clock }: { readonly agent: Agent; readonly signal: AbortSignal; readonly clock: Clock },
): Promise<Outcome> {
  return new Promise((resolve) => {
    let isSent = false;
    const outgoing = httpsRequest({
      ...hostAndPort(address),
      ...{ agent, signal, method: asked.method, path: asked.url },
      headers: {
        ...endToEnd(asked.headers),
        ...(asked.body === undefined ? {} : { 'content-length': asked.body.length }),
        [PEER_HEADER.door]: asked.door,
        [PEER_HEADER.caller]: asked.callerAddress,
      },
    });
    outgoing.once('socket', (socket) => {
      // One that is gone without a word is noticed.
      socket.setKeepAlive(true, KEEPALIVE_MS);
      // Until the handshake is over nothing of the request leaves.
      isSent = outgoing.reusedSocket;
      if (isSent) return;
      const cancel = clock.setTimer(CONNECT_MS, () => {
        socket.destroy(new Error(`no connection within ${CONNECT_MS} ms`));
      });
      socket.once('close', cancel);
      (socket as TLSSocket).once('secureConnect', () => {
        cancel();
        isSent = true;
      });
    });
    outgoing.once('response', (response) => {
      if (response.headers[PEER_HEADER.untouched] === undefined) resolve({ kind: 'answered', response });
      else {
        response.resume();
        resolve({ kind: 'untouched', reason: 'it does not lead' });
      }
    });
    outgoing.on('error', ({ message: reason }) =>
      resolve({ kind: isSent ? 'unknown' : 'untouched', reason }),
    );
    outgoing.end(asked.body);
  });
}
