import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, createSniffingServer, handOverTo, systemClock } from '@oakestra/daemon';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createHttpApp } from './http-app.ts';
import { plainHttpPolicy } from './plain-http.ts';

const certificate = makeCertificate();
const closers: (() => Promise<unknown>)[] = [];
let port: number;

beforeEach(async () => {
  const policy = plainHttpPolicy({ allowLegacy: [] });
  const servers: { plain?: http.Server; secure?: https.Server } = {};
  const face = createHttpApp({
    faces: [
      (app) => void app.get('/status', { config: { access: 'public' } }, async () => ({ status: 'ok' })),
    ],
    logger: createLogger({ output: { write: () => undefined } }),
    cors: [],
    // Tests connect from this machine; the policy must believe that they come from elsewhere.
    async plainHttpPolicy(request, reply) {
      Object.defineProperty(request.socket, 'remoteAddress', { value: '192.0.2.1' });
      await policy.call(face, request, reply);
    },
    serverFactory(handler) {
      servers.secure = https.createServer(certificate, handler);
      servers.plain = http.createServer(handler);
      return servers.plain;
    },
  });
  await face.ready();
  if (servers.plain === undefined || servers.secure === undefined) throw new Error('no server was made');
  const listener = createSniffingServer({
    onTls: handOverTo(servers.secure),
    onPlain: handOverTo(servers.plain),
    clock: systemClock(),
  });
  ({ port } = await listener.listen({ port: 0, host: '127.0.0.1' }));
  closers.push(
    () => listener.close(),
    () => face.close(),
  );
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

it('serves HTTPS, and refuses plain HTTP from elsewhere, on one port', async () => {
  const ca = certificate.cert;
  const secure = await answerTo(https.get({ host: '127.0.0.1', port, path: '/status', ca, agent: false }));
  expect(secure).toEqual({ status: 200, body: '{"status":"ok"}' });
  const plain = await answerTo(http.get({ host: '127.0.0.1', port, path: '/status', agent: false }));
  expect(plain.status).toBe(426);
  expect(plain.body).toContain(`https://127.0.0.1:${port}/status`);
});

function answerTo(request: http.ClientRequest): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    request.on('error', reject).on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    request.on('upgrade', () => reject(new Error('the connection was upgraded')));
  });
}

function makeCertificate(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'oakestra-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  try {
    execFileSync('openssl', ['req', '-x509', ...curve, ...name, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
