import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { connect, type Socket } from 'node:net';
import { systemClock, systemRandom } from '@oakestra/daemon';
import { recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { openRootCertificates, type RootCertificates } from '../certificates.ts';
import { createDualServer, type DualServer } from './dual-server.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let certificates: RootCertificates;
let server: DualServer;
let port: number;
let finishSlow: (() => void) | undefined;
const agents: http.Agent[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  certificates = await openRootCertificates({
    stateDirectory: folder.path,
    furtherNames: ['root.example', '192.0.2.7'],
    clock: systemClock(),
    random: systemRandom(),
    logger: recordingLogger(),
  });
});
afterAll(() => folder.remove());

beforeEach(async () => {
  finishSlow = undefined;
  server = createDualServer(certificates.tls, systemClock());
  const app: FastifyInstance = Fastify({ serverFactory: server.serverFactory });
  app.get('/quick', async (request) => ({ isEncrypted: 'encrypted' in request.socket }));
  app.get('/slow', async () => {
    await new Promise<void>((resolve) => {
      finishSlow = resolve;
    });
    return { done: true };
  });
  await app.ready();
  port = await server.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

interface Answer {
  readonly status: number | undefined;
  readonly connection: string | undefined;
  readonly body: unknown;
}

async function get(kind: 'http' | 'https', path: string): Promise<Answer> {
  const { caPem } = certificates.tls;
  const agent =
    kind === 'http'
      ? new http.Agent({ keepAlive: true })
      : new https.Agent({ keepAlive: true, ca: caPem, servername: 'root.example' });
  agents.push(agent);
  const request = (kind === 'http' ? http : https).get({ host: '127.0.0.1', port, path, agent });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return {
    status: response.statusCode,
    connection: response.headers.connection,
    body: JSON.parse(text),
  };
}

async function elapsedMs(work: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work;
  return performance.now() - startedMs;
}

it('answers HTTPS and HTTP on one port', async () => {
  expect((await get('https', '/quick')).body).toEqual({ isEncrypted: true });
  expect((await get('http', '/quick')).body).toEqual({ isEncrypted: false });
});

it.each(['http', 'https'] as const)('closes at once while %s connections are kept open', async (kind) => {
  expect((await get(kind, '/quick')).connection).toBe('keep-alive');
  expect(await elapsedMs(server.close())).toBeLessThan(400);
});

it.each(['http', 'https'] as const)('answers what is under way over %s, then closes', async (kind) => {
  const answer = get(kind, '/slow');
  while (finishSlow === undefined) await new Promise((resolve) => setImmediate(resolve));
  const closed = server.close();
  finishSlow?.();
  expect(await answer).toEqual({ status: 200, connection: 'close', body: { done: true } });
  expect(await elapsedMs(closed)).toBeLessThan(400);
  await expect(get('http', '/quick')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

it('cuts what does not end by itself', async () => {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  socket.resume();
  // A request that never ends.
  socket.write('POST /quick HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await elapsedMs(server.close())).toBeLessThan(1500);
  await closed;
});

it('outlives a client that speaks nonsense over TLS', async () => {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]));
  socket.resume();
  await once(socket, 'close');
  expect((await get('https', '/quick')).status).toBe(200);
});
