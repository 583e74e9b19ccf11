import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { OakestraError } from '../../errors.ts';
import type { LinkConnection } from '../connection.ts';
import { type DialFailure, type DialOptions, dialLink, type LinkDialer } from '../dial.ts';
import type { LinkEnd } from '../link-end.ts';
import type { LinkClock } from '../ports.ts';
import { type AcceptLinksOptions, acceptLinks } from './accept-links.ts';
import { clientCallTransport } from './call-transport.ts';
import { type GrpcConnectOptions, grpcConnect } from './connect.ts';
import { LinkClient } from './link.gen.ts';
import { createTestAuthority } from './test-certificates.ts';
import { type GrpcTls, serverCredentials } from './tls.ts';

const ours = createTestAuthority();
const strangers = createTestAuthority();
let rootTls: GrpcTls;
let edgeTls: GrpcTls;
let strangerTls: GrpcTls;
beforeAll(() => {
  rootTls = ours.issue('root');
  edgeTls = ours.issue('edge');
  strangerTls = strangers.issue('edge');
});
afterAll(() => {
  ours.dispose();
  strangers.dispose();
});

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const clock: LinkClock = {
  monotonicMs: () => performance.now(),
  setTimer(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

async function serve(options: Partial<AcceptLinksOptions> = {}, given = serverCredentials(rootTls)) {
  const server = new Server();
  cleanups.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', given, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const connections: { connection: LinkConnection; name: string }[] = [];
  const links = acceptLinks({
    server,
    identity: { role: 'root', name: 'root', incarnation: 'r', bootId: 'b', capabilities: [] },
    clock,
    authorize: ({ certificate }) => String(certificate.subject.CN),
    onConnection: (connection, name) => void connections.push({ connection, name }),
    ...options,
  });
  return { endpoint: `127.0.0.1:${port}`, links, connections, server };
}

/** Dials until the first success or failure. */
function dialOnce(
  endpoint: string,
  connect: Partial<GrpcConnectOptions> = {},
  changes: Partial<DialOptions> = {},
) {
  let dialer: LinkDialer | undefined;
  let settleDown: (end: LinkEnd) => void = () => {};
  const down = new Promise<LinkEnd>((resolve) => {
    settleDown = resolve;
  });
  const result = new Promise<LinkConnection | DialFailure>((resolve) => {
    dialer = dialLink({
      endpoints: [endpoint],
      identity: { role: 'cluster', name: 'edge', incarnation: 'c', bootId: 'p', capabilities: [] },
      clock,
      random: { fraction: () => 1 },
      connect: grpcConnect({ tls: () => edgeTls, serverName: 'root', ...connect }),
      onUp: resolve,
      onUnreachable: resolve,
      onDown: settleDown,
      ...changes,
    });
  });
  cleanups.push(() => dialer?.stop());
  return { result, down, dialer: dialer as LinkDialer | undefined };
}

describe('links over gRPC', () => {
  test('the name comes from the certificate', async () => {
    const { endpoint, connections, links } = await serve({
      authorize({ certificate, address }) {
        expect(address?.isLoopback).toBe(true);
        expect(certificate.raw.length).toBeGreaterThan(100);
        return String(certificate.subject.CN);
      },
    });
    expect(await dialOnce(endpoint).result).toMatchObject({ peer: { name: 'root' } });
    expect(connections[0]?.name).toBe('edge');
    expect(links.connection('edge')).toBe(connections[0]?.connection);
  });

  test('a name other than that of the certificate is refused', async () => {
    const { endpoint, connections } = await serve();
    const identity = { role: 'cluster', name: 'root', incarnation: 'c', bootId: 'p', capabilities: [] };
    const failure = await dialOnce(endpoint, {}, { identity }).result;
    expect(failure).toMatchObject({ message: expect.stringMatching(/certificate is that of edge/) });
    expect(connections).toEqual([]);
  });

  test('whom authorize refuses learns why', async () => {
    const { endpoint } = await serve({
      async authorize() {
        throw new OakestraError('forbidden', 'revoked', 'this certificate was revoked, join again');
      },
    });
    const failure = await dialOnce(endpoint).result;
    expect(failure).toMatchObject({
      message: expect.stringMatching(/PERMISSION_DENIED: this certificate was revoked/),
    });
  });

  test('a certificate of another authority gets nowhere', async () => {
    const { endpoint, connections } = await serve();
    const tls = { ...strangerTls, caPem: rootTls.caPem };
    expect(await dialOnce(endpoint, { tls: () => tls }).result).toHaveProperty('nextTryMs');
    expect(connections).toEqual([]);
  });

  test('a server of another authority, or of another name, is not believed', async () => {
    const stranger = await serve({}, serverCredentials(strangerTls));
    expect(await dialOnce(stranger.endpoint).result).toMatchObject({
      message: expect.stringMatching(/certificate/),
    });
    const { endpoint } = await serve();
    const named = await dialOnce(endpoint, { serverName: 'another' }).result;
    expect(named).toMatchObject({ message: expect.stringMatching(/another/) });
    const checkServer = (): void => {
      throw new Error('not pinned');
    };
    expect(await dialOnce(endpoint, { checkServer }).result).toMatchObject({
      message: expect.stringMatching(/not pinned/),
    });
  });

  test('a caller without certificate is refused even where the server lets it in', async () => {
    const { endpoint, connections } = await serve({}, ServerCredentials.createInsecure());
    const client = new LinkClient(endpoint, credentials.createInsecure());
    const transport = clientCallTransport(client.open(), () => client.close());
    const message = await new Promise((onClosed: (message: string) => void) => {
      transport.start({ onBytes() {}, onDrain() {}, onClosed });
    });
    expect(message).toMatch(/UNAUTHENTICATED: a link needs a certificate/);
    expect(connections).toEqual([]);
  });

  test('the acceptor stops with a goodbye, and the server can shut down in order', async () => {
    const { endpoint, links, server } = await serve();
    const { result, down, dialer } = dialOnce(endpoint);
    await result;
    await links.stop({ reason: 'restarting', graceMs: 1_000 });
    expect(await down).toEqual({ kind: 'bye', by: 'peer', reason: 'restarting', graceMs: 1_000 });
    await dialer?.stop();
    await new Promise<void>((resolve, reject) =>
      server.tryShutdown((error) => (error === undefined ? resolve() : reject(error))),
    );
  });

  test('a message is answered without delay', async () => {
    const { endpoint, connections } = await serve();
    const connection = (await dialOnce(endpoint).result) as LinkConnection;
    const other = connections[0]?.connection;
    other?.onMessage((message) => void other.send('status', 'ack', message.body));
    const tookMs: number[] = [];
    for (let i = 0; i < 50; i++) {
      const startMs = performance.now();
      const answered = new Promise<void>((resolve) => connection.onMessage(() => resolve()));
      connection.send('commands', 'go', { i });
      await answered;
      tookMs.push(performance.now() - startMs);
    }
    tookMs.sort((a, b) => a - b);
    // Nagle's algorithm with delayed acknowledgements would show as 40 ms.
    expect(tookMs[25]).toBeLessThan(20);
  });
});
