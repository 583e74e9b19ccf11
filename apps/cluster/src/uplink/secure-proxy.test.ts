import { once } from 'node:events';
import { request } from 'node:http';
import { createServer as createHttpsServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import type { TlsIdentity } from '@oakestra/pki';
import { identityOf, openTestAuthority, recordingLogger, temporaryFolder } from '@oakestra/pki/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { openSecureProxy, type SecureProxy } from './secure-proxy.ts';

/* That registration and link use a plain proxy is shown in `contracts/src/link/grpc/proxy.test.ts`. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** Of a company, which has nothing to do with our authority. */
let proxyTls: TlsIdentity;
let proxy: Server;
let way: SecureProxy;
/** What the proxy was asked for, and with which credentials. */
let asked: (string | undefined)[][];

beforeAll(async () => {
  folder = await temporaryFolder();
  const company = await openTestAuthority(join(folder.path, 'company'));
  proxyTls = await identityOf(company, { role: 'client', name: 'proxy', dnsNames: ['localhost'] });
});
afterAll(() => folder.remove());

beforeEach(async () => {
  asked = [];
  proxy = createHttpsServer({ cert: proxyTls.certificatePem, key: proxyTls.keyPem.reveal() });
  proxy.on('connect', ({ url, headers }, client) => {
    asked.push([url, headers['proxy-authorization']]);
    client.on('error', () => {});
    client.write('HTTP/1.1 200 OK\r\n\r\n');
    // What is behind it answers with what it is told.
    client.pipe(client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await way.close();
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});

async function open(caPem: string | undefined): Promise<void> {
  const { port } = proxy.address() as AddressInfo;
  const url = `https://edge:ge%40heim@localhost:${port}`;
  way = await openSecureProxy({ url, caPem, logger: recordingLogger() });
}

/** As a client of a plain proxy does. */
async function tunnel(): Promise<Socket> {
  const { hostname: host, port, username, password } = new URL(way.url);
  const credentials = Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64');
  const call = request({
    ...{ host, port, method: 'CONNECT', path: 'root.elsewhere.invalid:443' },
    headers: { 'proxy-authorization': `Basic ${credentials}` },
  });
  call.end();
  const [, socket] = await once(call, 'connect');
  return socket;
}

it('goes through a proxy that speaks TLS under a certificate of its own, with credentials', async () => {
  await open(proxyTls.caPem);
  const socket = await tunnel();
  const credentials = `Basic ${Buffer.from('edge:ge@heim').toString('base64')}`;
  expect(asked).toEqual([['root.elsewhere.invalid:443', credentials]]);
  socket.write('there and back');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toBe('there and back');
  // The end of one side is the end of the other.
  socket.destroy();
  await once(socket, 'close');
});

it('tells nothing to a proxy whose certificate is not trusted', async () => {
  await open(undefined);
  await expect(tunnel()).rejects.toThrow(/hang up|reset/);
  expect(asked).toEqual([]);
});
