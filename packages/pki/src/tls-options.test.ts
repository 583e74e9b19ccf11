import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { OakestraError } from '@oakestra/contracts';
import { createManualClock } from '@oakestra/daemon';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Authority } from './authority/open-authority.ts';
import { hourMs, identityOf, openTestAuthority, temporaryFolder } from './authority/test-authority.ts';
import type { PeerIdentity, PeerRole } from './peer-identity.ts';
import type { TlsIdentity } from './tls-identity.ts';
import { requirePeer, tlsClientOptions, tlsServerOptions, verifiedPeer } from './tls-options.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: Authority;
let foreign: Authority;
let cluster: TlsIdentity;
let worker: TlsIdentity;
const servers: Server[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  authority = await openTestAuthority(join(folder.path, 'own'));
  foreign = await openTestAuthority(join(folder.path, 'foreign'));
  cluster = await identityOf(authority, { role: 'cluster', name: 'berlin' });
  worker = await identityOf(authority, { role: 'worker', name: 'edge-1' });
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});
afterAll(() => folder.remove());

/** What the server thinks of its clients: `judge` speaks about each connection. */
async function serve(
  identity: TlsIdentity,
  judge: (socket: TLSSocket) => string,
  requireClientCertificate = true,
): Promise<number> {
  const server = createServer(tlsServerOptions(identity, { requireClientCertificate }), (socket) => {
    socket.on('error', () => {});
    socket.end(judge(socket));
  });
  server.on('tlsClientError', () => {});
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What a client hears from the server, or why it did not get through. */
function hear(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect({ host: '127.0.0.1', port, ...options });
    socket.setEncoding('utf8');
    socket.on('data', (text) => {
      heard += text;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(heard));
  });
}

const speakName = (socket: TLSSocket): string => JSON.stringify(verifiedPeer(socket) ?? null);
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (heard) => `heard ${String(heard)}`,
    (error: Error & { code?: string }) => error.code,
  );
const toCluster = (identity: TlsIdentity) => tlsClientOptions(identity, { serverRole: 'cluster' });

describe('mutual TLS', () => {
  it('tells each side who the other is, by TLS 1.3, without a matching host name', async () => {
    let server: PeerIdentity | undefined;
    const port = await serve(cluster, (socket) => `${socket.getProtocol()} ${speakName(socket)}`);
    const options = toCluster(worker);
    const heard = await hear(port, {
      ...options,
      checkServerIdentity(host, certificate) {
        server = { role: 'cluster', name: certificate.subject.CN };
        return options.checkServerIdentity(host, certificate);
      },
    });
    expect(heard).toBe(`TLSv1.3 ${JSON.stringify({ role: 'worker', name: 'edge-1' })}`);
    expect(server).toEqual({ role: 'cluster', name: 'cluster:berlin' });
  });

  it('works with a peer that knows TLS 1.2 and refuses one that knows less', async () => {
    const port = await serve(cluster, speakName);
    expect(await hear(port, { ...toCluster(worker), maxVersion: 'TLSv1.2' })).toContain('edge-1');
    const old = { ...toCluster(worker), minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const;
    expect(await codeOf(hear(port, { ...old, ciphers: 'DEFAULT@SECLEVEL=0' }))).toMatch(/^ERR_SSL_/);
  });

  it('refuses a client without certificate, of a foreign authority, or expired', async () => {
    const unheard = /^(heard |ECONNRESET|ERR_SSL_.*)$/;
    let judged = 0;
    const port = await serve(cluster, (socket) => {
      judged += socket.getPeerCertificate().subject?.CN === 'worker:edge-1' && socket.authorized ? 0 : 1;
      return 'welcome';
    });
    const { cert: _cert, key: _key, ...anonymous } = toCluster(worker);
    expect(await codeOf(hear(port, anonymous))).toMatch(unheard);

    const stranger = await identityOf(foreign, { role: 'worker' });
    const pretending = { ...toCluster(stranger), ca: authority.certificatePem };
    expect(await codeOf(hear(port, pretending))).toMatch(unheard);

    const clock = createManualClock(Date.UTC(2026, 0, 2));
    const past = await openTestAuthority(join(folder.path, 'own'), { clock });
    const expired = await identityOf(past, { role: 'worker', lifetimeMs: hourMs });
    expect(await codeOf(hear(port, toCluster(expired)))).toMatch(unheard);
    // In TLS 1.3 a client may believe to be connected for a moment; the server never spoke to one of them.
    expect(judged).toBe(0);
    expect(await hear(port, toCluster(worker))).toBe('welcome');
  });

  it('refuses a server of a foreign authority, expired, or of another role or name', async () => {
    const stranger = await serve(await identityOf(foreign, { role: 'cluster' }), speakName);
    expect(await codeOf(hear(stranger, toCluster(worker)))).toMatch(
      /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|CERT_SIGNATURE_FAILURE)$/,
    );

    const clock = createManualClock(Date.UTC(2026, 0, 2));
    const past = await openTestAuthority(join(folder.path, 'own'), { clock });
    const expired = await serve(await identityOf(past, { role: 'cluster', lifetimeMs: hourMs }), speakName);
    expect(await codeOf(hear(expired, toCluster(worker)))).toBe('CERT_HAS_EXPIRED');

    const impostor = await serve(worker, speakName);
    expect(await codeOf(hear(impostor, toCluster(worker)))).toBe('tls-wrong-server');

    const port = await serve(cluster, speakName);
    const named = (serverName: string) => tlsClientOptions(worker, { serverRole: 'cluster', serverName });
    expect(await codeOf(hear(port, named('paris')))).toBe('tls-wrong-server');
    expect(await hear(port, named('berlin'))).toContain('edge-1');
  });
});

describe('authorisation by role', () => {
  const judge = (roles: readonly PeerRole[]) => (socket: TLSSocket) => {
    try {
      return requirePeer(socket, roles).name;
    } catch (error) {
      return error instanceof OakestraError ? `${error.kind} ${error.code}` : String(error);
    }
  };

  it('lets in the roles of the port and no other', async () => {
    expect(await hear(await serve(cluster, judge(['worker'])), toCluster(worker))).toBe('edge-1');
    expect(await hear(await serve(cluster, judge(['root'])), toCluster(worker))).toBe(
      'forbidden tls-wrong-role',
    );
  });

  it('does not believe an unverified certificate on a port that old peers use as well', async () => {
    const port = await serve(cluster, judge(['worker']), false);
    const stranger = await identityOf(foreign, { role: 'worker', name: 'edge-1' });
    const pretending = { ...toCluster(stranger), ca: authority.certificatePem };
    expect(await hear(port, pretending)).toBe('unauthenticated tls-certificate-required');
    const { cert: _cert, key: _key, ...anonymous } = toCluster(worker);
    expect(await hear(port, anonymous)).toBe('unauthenticated tls-certificate-required');
    expect(await hear(port, toCluster(worker))).toBe('edge-1');
  });
});
