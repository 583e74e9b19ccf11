import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { Server } from '@grpc/grpc-js';
import { serverCredentials } from '@oakestra/contracts/link/grpc';
import { createRegistrationClient, registrationService } from '@oakestra/contracts/registration';
import type { TlsIdentity } from '@oakestra/pki';
import { identityOf, openTestAuthority, recordingLogger, temporaryFolder } from '@oakestra/pki/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { openSecureProxy, type SecureProxy } from './secure-proxy.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let edgeTls: TlsIdentity;
let rootTls: TlsIdentity;
/** Of a company, which has nothing to do with our authority. */
let proxyTls: TlsIdentity;
let root: Server;
let rootPort: number;
let proxy: HttpsServer;
let proxyPort: number;
let way: SecureProxy | undefined;
/** What the proxy was asked for, and with which credentials. */
let asked: (string | undefined)[][];

beforeAll(async () => {
  folder = await temporaryFolder();
  const ours = await openTestAuthority(join(folder.path, 'ours'));
  const company = await openTestAuthority(join(folder.path, 'company'));
  edgeTls = await identityOf(ours, { role: 'cluster', name: 'edge' });
  rootTls = await identityOf(ours, { role: 'root', name: 'root', dnsNames: ['root'] });
  proxyTls = await identityOf(company, { role: 'client', name: 'proxy', dnsNames: ['localhost'] });
});
afterAll(() => folder.remove());

beforeEach(async () => {
  asked = [];
  root = new Server();
  const service = registrationService({ register: async () => 'c'.repeat(24), onError: () => {} });
  root.addService(service.definition, service.implementation);
  rootPort = await new Promise((resolve, reject) => {
    root.bindAsync('127.0.0.1:0', serverCredentials(rootTls), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  proxy = createHttpsServer({ cert: proxyTls.certificatePem, key: proxyTls.keyPem.reveal() });
  proxy.on('connect', ({ url, headers }, client) => {
    asked.push([url, headers['proxy-authorization']]);
    const target = connectSocket({ host: '127.0.0.1', port: rootPort }, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    for (const socket of [target, client]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  proxyPort = (proxy.address() as AddressInfo).port;
});
afterEach(async () => {
  await way?.close();
  delete process.env.grpc_proxy;
  root.forceShutdown();
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});

/** Registers through the proxy, under a name that only the proxy knows. */
async function register(caPem: string | undefined): Promise<string> {
  const url = `https://edge:ge%40heim@localhost:${proxyPort}`;
  way = await openSecureProxy({ url, caPem, logger: recordingLogger() });
  process.env.grpc_proxy = way.url;
  const client = createRegistrationClient({
    ...{ endpoint: `root.elsewhere.invalid:${rootPort}`, tls: edgeTls, serverName: 'root' },
    ...{ timeoutMs: 3000, waitsForRoot: false, throughProxy: true },
  });
  try {
    return await client.register({
      ...{ clusterName: 'edge', clusterLocation: '', managerPort: 1, networkComponentPort: 1 },
      ...{ clusterInfo: {}, advertisedAddress: undefined, token: undefined },
    });
  } finally {
    client.close();
  }
}

it('goes through a proxy that speaks TLS under a certificate of its own, with credentials', async () => {
  expect(await register(proxyTls.caPem)).toBe('c'.repeat(24));
  const credentials = `Basic ${Buffer.from('edge:ge@heim').toString('base64')}`;
  expect(asked).toContainEqual([`root.elsewhere.invalid:${rootPort}`, credentials]);
});

it('tells nothing to a proxy whose certificate is not trusted', async () => {
  await expect(register(undefined)).rejects.toMatchObject({ kind: 'unavailable' });
  expect(asked).toEqual([]);
});
