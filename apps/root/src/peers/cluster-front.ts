import { request as httpsRequest } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { OakestraError } from '@oakestra/contracts';
import { type PeerAddress, parsePeerAddress } from '@oakestra/contracts/registration';
import type { Clock, Logger } from '@oakestra/daemon';
import { type TlsIdentity, tlsClientOptions } from '@oakestra/pki';
import type { Leadership, Term } from '../leadership/index.ts';
import { hostAndPort } from './ask-leader.ts';
import { CLUSTER_PROTOCOL, PEER_HEADER } from './peer-door.ts';

/**
 * Port 50052 of a root that is one of several. Connections of clusters go to the leader, over the door between roots
 * where that is another one: byte by byte, so the TLS of the link ends at the leader, and any cluster can use any root.
 * While nobody leads, connections wait. They are cut when the leader changes, and clusters dial again.
 */
export interface ClusterFront {
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** From now on we lead: connections go to `take`. The result ends that, and cuts them. */
  lead(take: (socket: Socket) => void): () => void;
  /** A connection that came in at another port of ours. */
  take(socket: Socket): void;
  /** A connection that another root passed on to us. */
  accept(socket: Socket, caller: string): void;
  /** Where a connection really comes from. */
  originOf(peer: PeerAddress | undefined): PeerAddress | undefined;
  close(): Promise<void>;
}

/** How long a connection waits for somebody who leads. */
const PATIENCE_MS = 10_000;

export function createClusterFront(options: {
  readonly leadership: Pick<Leadership<Term>, 'settled'>;
  readonly tls: TlsIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
}): ClusterFront {
  const { leadership, tls, clock, logger } = options;
  const sockets = new Set<Socket>();
  const origins = new Map<string, PeerAddress>();
  let take: ((socket: Socket) => void) | undefined;

  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // A broken connection is no event of ours; without a listener it would end the process.
    socket.on('error', () => {});
  };

  const serve = async (socket: Socket): Promise<void> => {
    const patientUntilMs = clock.monotonicMs() + PATIENCE_MS;
    while (!socket.destroyed) {
      const leftMs = patientUntilMs - clock.monotonicMs();
      const leader = leftMs > 0 ? await leadership.settled(leftMs) : undefined;
      if (socket.destroyed) return;
      if (leader === undefined) break;
      if (leader.kind === 'self') {
        if (take === undefined) break;
        take(socket);
        return;
      }
      const upstream = await reach(leader.address, socket.remoteAddress ?? '', leader.ended);
      if (upstream !== undefined) {
        join(socket, upstream, leader.ended);
        return;
      }
      await new Promise<void>((resolve) => clock.setTimer(100, resolve));
    }
    socket.destroy();
  };

  /** Resolves to a connection to the leader's own port for clusters. */
  const reach = (address: string, caller: string, signal: AbortSignal): Promise<Socket | undefined> =>
    new Promise((resolve) => {
      const outgoing = httpsRequest({
        ...tlsClientOptions(tls, { serverRole: 'root' }),
        ...{ ...hostAndPort(address), agent: false, signal },
        headers: { connection: 'Upgrade', upgrade: CLUSTER_PROTOCOL, [PEER_HEADER.caller]: caller },
      });
      outgoing.once('upgrade', (_response, upstream: Socket, head: Buffer) => {
        if (head.length > 0) upstream.unshift(head);
        resolve(upstream);
      });
      outgoing.once('response', (response) => {
        response.resume();
        resolve(undefined);
      });
      outgoing.on('error', ({ message }) => {
        logger.debug('a cluster could not be passed on', { address, reason: message });
        resolve(undefined);
      });
      outgoing.end();
    });

  const join = (socket: Socket, upstream: Socket, ended: AbortSignal): void => {
    keep(upstream);
    const cut = (): void => {
      socket.destroy();
      upstream.destroy();
      ended.removeEventListener('abort', cut);
    };
    ended.addEventListener('abort', cut, { once: true });
    socket.once('close', cut);
    upstream.once('close', cut);
    upstream.setNoDelay(true);
    socket.pipe(upstream);
    upstream.pipe(socket);
    if (ended.aborted) cut();
  };

  const enter = (socket: Socket): void => {
    keep(socket);
    void serve(socket);
  };
  const server = createServer({ noDelay: true }, enter);

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', (cause: Error) => {
          const message = `Cannot listen on ${host}:${port} for clusters: ${cause.message}. Stop what uses the port or set --cluster-port`;
          reject(new OakestraError('unavailable', 'port-taken', message, { cause }));
        });
        server.listen({ host, port }, () => {
          const address = server.address();
          resolve(typeof address === 'object' && address !== null ? address.port : port);
        });
      }),
    lead(given) {
      take = given;
      return () => {
        if (take === given) take = undefined;
        for (const socket of [...sockets]) socket.destroy();
      };
    },
    take: enter,
    accept(socket, caller) {
      keep(socket);
      const key = keyOf(socket.remoteAddress, socket.remotePort);
      const origin = parsePeerAddress(`${caller}:${socket.remotePort}`);
      // It must not count as the root that passed it on. And that one believes that we lead, or must look again.
      if (key === undefined || origin === undefined || take === undefined) {
        socket.destroy();
        return;
      }
      origins.set(key, origin);
      socket.once('close', () => origins.delete(key));
      take(socket);
    },
    originOf: (peer) =>
      peer === undefined ? undefined : (origins.get(keyOf(peer.address, peer.port) ?? '') ?? peer),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of [...sockets]) socket.destroy();
      await closed;
    },
  };
}

/** Connections are told apart by the far end; addresses in one spelling. */
function keyOf(address: string | undefined, port: number | undefined): string | undefined {
  const peer = parsePeerAddress(`${address}:${port}`);
  return peer === undefined ? undefined : `${peer.address} ${peer.port}`;
}
