import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Server, type ServerDuplexStream } from '@grpc/grpc-js';
import { afterAll, beforeAll } from 'vitest';
import { linkConformance, type TransportPair } from '../conformance.ts';
import type { LinkTransport } from '../transport.ts';
import { serverCallTransport } from './call-transport.ts';
import { grpcConnect } from './connect.ts';
import { type Chunk, LinkService } from './link.gen.ts';
import { createTestAuthority } from './test-certificates.ts';
import { type GrpcTls, serverCredentials } from './tls.ts';

const authority = createTestAuthority();
let rootTls: GrpcTls;
let edgeTls: GrpcTls;
beforeAll(() => {
  rootTls = authority.issue('root');
  edgeTls = authority.issue('edge');
});
afterAll(() => authority.dispose());

/** A TCP connection in between that can be broken. */
async function startRelay(targetPort: number) {
  const sockets = new Set<Socket>();
  let cutAfterBytes = Number.POSITIVE_INFINITY;
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
    sockets.clear();
  };
  const listener = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', cut);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (bytes) => {
      far.write(bytes.subarray(0, cutAfterBytes));
      cutAfterBytes -= bytes.length;
      if (cutAfterBytes <= 0) cut();
    });
    far.pipe(near);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    cut,
    cutAfter(bytes: number) {
      cutAfterBytes = bytes;
    },
    close() {
      cut();
      listener.close();
    },
  };
}

async function createGrpcPair(): Promise<TransportPair> {
  const server = new Server();
  const accepted = new Promise<LinkTransport>((resolve) => {
    const open = (call: ServerDuplexStream<Chunk, Chunk>): void => resolve(serverCallTransport(call));
    server.addService(LinkService, { open });
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials(rootTls), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const relay = await startRelay(port);
  const dialler = grpcConnect({ tls: () => edgeTls, serverName: 'root' });
  const dialer = await dialler(`127.0.0.1:${relay.port}`, new AbortController().signal);
  return {
    dialer,
    acceptor: await accepted,
    cut: relay.cut,
    cutAfter: relay.cutAfter,
    async dispose() {
      dialer.destroy();
      relay.close();
      server.forceShutdown();
    },
  };
}

linkConformance('gRPC with mutual TLS', createGrpcPair);
