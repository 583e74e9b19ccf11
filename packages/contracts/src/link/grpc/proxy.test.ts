import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { Server } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRegistrationClient, registrationService } from '../../registration/index.ts';
import { dialLink, type LinkDialer } from '../dial.ts';
import type { LinkClock } from '../ports.ts';
import { acceptLinks } from './accept-links.ts';
import { grpcConnect } from './connect.ts';
import { createTestAuthority } from './test-certificates.ts';
import { type GrpcTls, serverCredentials } from './tls.ts';

const authority = createTestAuthority();
const clock: LinkClock = {
  monotonicMs: () => performance.now(),
  setTimer(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};
let edgeTls: GrpcTls;
let root: Server;
let endpoint: string;
let proxy: HttpServer;
/** What the proxy was asked for, and with which credentials. */
let asked: (string | undefined)[][];
let dialer: LinkDialer | undefined;

beforeAll(() => {
  edgeTls = authority.issue('edge');
});
afterAll(() => authority.dispose());

beforeEach(async () => {
  asked = [];
  root = new Server();
  const service = registrationService({ register: async () => 'c'.repeat(24), onError: () => {} });
  root.addService(service.definition, service.implementation);
  acceptLinks({
    server: root,
    identity: { role: 'root', name: 'root', incarnation: 'r', bootId: 'b', capabilities: [] },
    clock,
    authorize: ({ certificate }) => String(certificate.subject.CN),
    onConnection: () => {},
  });
  const credentials = serverCredentials(authority.issue('root'));
  const port = await new Promise<number>((resolve, reject) => {
    root.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  // A name that only the proxy knows: whoever gets there went through it.
  endpoint = `root.elsewhere.invalid:${port}`;
  proxy = createServer();
  proxy.on('connect', ({ url, headers }, client) => {
    asked.push([url, headers['proxy-authorization']]);
    if (headers['proxy-authorization'] !== `Basic ${Buffer.from('edge:geheim').toString('base64')}`) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const target = connectSocket({ host: '127.0.0.1', port }, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    for (const socket of [target, client]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await dialer?.stop();
  root.forceShutdown();
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  delete process.env.grpc_proxy;
});

const useProxy = (credentials: string): void => {
  process.env.grpc_proxy = `http://${credentials}@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
};
const register = async (throughProxy: boolean): Promise<string> => {
  const options = { endpoint, tls: edgeTls, serverName: 'root', timeoutMs: 3000, waitsForRoot: false };
  const client = createRegistrationClient({ ...options, throughProxy });
  try {
    return await client.register({
      ...{ clusterName: 'edge', clusterLocation: '', managerPort: 1, networkComponentPort: 1 },
      ...{ clusterInfo: {}, advertisedAddress: undefined, token: undefined },
    });
  } finally {
    client.close();
  }
};

test('registration and link go through an HTTP proxy that wants credentials, encrypted from end to end', async () => {
  useProxy('edge:geheim');
  expect(await register(true)).toBe('c'.repeat(24));
  const name = await new Promise<string>((resolve, reject) => {
    dialer = dialLink({
      endpoints: [endpoint],
      identity: { role: 'cluster', name: 'edge', incarnation: 'c', bootId: 'p', capabilities: [] },
      clock,
      random: { fraction: () => 1 },
      connect: grpcConnect({ tls: () => edgeTls, serverName: 'root', throughProxy: true }),
      onUp: ({ peer }) => resolve(peer.name),
      onUnreachable: ({ message }) => reject(new Error(message)),
      onDown: () => {},
    });
  });
  expect(name).toBe('root');
  expect(new Set(asked.map(([target]) => target))).toEqual(new Set([endpoint]));
});

test('a proxy that refuses is told', async () => {
  useProxy('edge:wrong');
  await expect(register(true)).rejects.toMatchObject({ kind: 'unavailable' });
  expect(asked.length).toBeGreaterThan(0);
});

test('nothing goes through a proxy unless it is asked for', async () => {
  useProxy('edge:geheim');
  await expect(register(false)).rejects.toMatchObject({ kind: 'unavailable' });
  expect(asked).toEqual([]);
});
