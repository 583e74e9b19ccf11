import { createServer, type RequestOptions, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { createManualClock, systemClock, systemRandom } from '@oakestra/daemon';
import { type PeerRole, type TlsIdentity, tlsClientOptions, tlsServerOptions } from '@oakestra/pki';
import { ensureIdentity } from '@oakestra/pki/authority';
import { recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRootCertificates } from '../certificates.ts';
import { abstractorAccess } from './access.ts';
import { createAbstractorFace } from './index.ts';
import { createMemoryPorts } from './testing/memory-ports.ts';

const identity = {
  async authenticate(token: string) {
    const roles = { admin: ['Admin'], elsewhere: ['Admin'], bob: ['Application_Provider'] }[token];
    if (roles === undefined)
      throw new OakestraError('unauthenticated', 'token-malformed', 'Not enough segments');
    const isInRootOrganisation = token !== 'elsewhere';
    return { userId: token, userName: token, organisationId: '', roles, isInRootOrganisation } as never;
  },
};
const app = createAbstractorFace({
  ...{ ...createMemoryPorts(createManualClock().nowMs), logger: recordingLogger() },
  authorize: abstractorAccess({ identity, isLegacyAddress: (address) => address === '192.0.2.1' }),
});

it.each([
  ['nobody', '192.0.2.9', undefined, 401],
  ['a forger', '192.0.2.9', 'x', 401],
  ['a user', '192.0.2.9', 'bob', 403],
  ['an administrator', '192.0.2.9', 'admin', 200],
  ['an administrator of another organisation', '192.0.2.9', 'elsewhere', 403],
  ['an old program', '192.0.2.1', undefined, 200],
] as const)('%s from %s gets %4$s', async (_who, remoteAddress, token, status) => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const reply = await app.inject({ method: 'GET', url: '/api/v1/jobs', remoteAddress, headers });
  expect(reply.statusCode).toBe(status);
});

describe('over TLS', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: Server;
  let issue: (role: PeerRole, directory: string) => Promise<TlsIdentity>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const ports = { clock: systemClock(), random: systemRandom(), logger: recordingLogger() };
    const { authority, tls } = await openRootCertificates({
      ...{ stateDirectory: folder.path, furtherNames: [] },
      ...ports,
    });
    issue = (role, directory) =>
      ensureIdentity({
        ...{ authority, directory: join(folder.path, directory), role, id: 'x', name: 'x' },
        ...{ dnsNames: [], ipAddresses: [], lifetimeMs: 3_600_000, ...ports },
      });
    const face = createAbstractorFace({
      ...{ ...createMemoryPorts(ports.clock.nowMs), logger: recordingLogger() },
      authorize: abstractorAccess({ identity }),
      serverFactory(handler) {
        server = createServer(tlsServerOptions(tls, { requireClientCertificate: false }), handler);
        return server;
      },
    });
    await face.ready();
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  });

  afterAll(async () => {
    await new Promise((resolve) => void server.close(resolve));
    await folder.remove();
  });

  const statusWith = (options: RequestOptions) =>
    new Promise<number | undefined>((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      const call = request(
        { host: '127.0.0.1', port, path: '/api/v1/jobs', agent: false, ...options },
        (reply) => {
          reply.resume();
          resolve(reply.statusCode);
        },
      );
      call.on('error', reject).end();
    });

  it.each([
    ['client', 200],
    ['worker', 401],
  ] as const)('a certificate of our authority for a %s gets %i', async (role, status) => {
    const options = tlsClientOptions(await issue(role, role), { serverRole: 'root' });
    expect(await statusWith(options)).toBe(status);
  });

  it('a certificate of another authority proves nothing', async () => {
    const other = await temporaryFolder();
    const ports = { clock: systemClock(), random: systemRandom(), logger: recordingLogger() };
    const { tls } = await openRootCertificates({
      ...{ stateDirectory: other.path, furtherNames: [] },
      ...ports,
    });
    const { cert, key } = tlsClientOptions(tls, { serverRole: 'root' });
    expect(await statusWith({ cert, key, rejectUnauthorized: false })).toBe(401);
    await other.remove();
  });
});
