import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sha256Digest } from '../../../images/manifest.ts';
import type { TestImage } from './test-image.ts';

const run = promisify(execFile);

/** `ann`, `s3cret` for a registry with users. */
const HTPASSWD = 'ann:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK';

/** A docker-registry that belongs to one test. */
export interface PrivateRegistry {
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly port: number;
  /** Certificate of the authority, when it uses TLS. */
  readonly caPem: string | undefined;
  /** File of that certificate. */
  readonly caPath: string;
  push(repository: string, tag: string, image: Pushable): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Lines of its access log so far. */
  accessLog(): Promise<readonly string[]>;
  dispose(): Promise<void>;
}

type Pushable = Pick<TestImage, 'manifest' | 'manifestType'> & Partial<Pick<TestImage, 'blobs'>>;

export async function startPrivateRegistry(
  options: { readonly isTls?: boolean; readonly hasUsers?: boolean } = {},
): Promise<PrivateRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'oakestra-registry-'));
  const port = await freePort();
  const logPath = join(directory, 'log');
  const caPem = options.isTls ? await makeCertificates(directory) : undefined;
  await writeFile(join(directory, 'htpasswd'), `${HTPASSWD}\n`);
  await writeFile(
    join(directory, 'config.yml'),
    JSON.stringify({
      version: '0.1',
      log: { level: 'info' },
      storage: { filesystem: { rootdirectory: join(directory, 'storage') } },
      http: {
        addr: `127.0.0.1:${port}`,
        secret: 'test',
        ...(options.isTls
          ? { tls: { certificate: join(directory, 'server.pem'), key: join(directory, 'server.key') } }
          : {}),
      },
      ...(options.hasUsers
        ? { auth: { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } } }
        : {}),
    }),
  );

  let daemon: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const log = await open(logPath, 'a');
    daemon = spawn('docker-registry', ['serve', join(directory, 'config.yml')], {
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    await answering(port, daemon);
  };
  const kill = async (): Promise<void> => {
    const ending = daemon;
    daemon = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill('SIGKILL');
    await exited;
  };
  const send = (method: string, path: string, body: Buffer, type: string) =>
    request({ method, port, path, body, type, caPem });

  const dispose = async (): Promise<void> => {
    await kill();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    host: `127.0.0.1:${port}`,
    port,
    caPem,
    caPath: join(directory, 'ca.pem'),
    start,
    kill,
    dispose,
    accessLog: async () => (await readFile(logPath, 'utf8')).split('\n'),
    async push(repository, tag, { blobs, manifest, manifestType }) {
      for (const [digest, bytes] of blobs ?? []) {
        const { location } = await send(
          'POST',
          `/v2/${repository}/blobs/uploads/`,
          Buffer.alloc(0),
          'text/plain',
        );
        const upload = new URL(location ?? '', `http://127.0.0.1:${port}`);
        upload.searchParams.set('digest', digest);
        await send('PUT', `${upload.pathname}${upload.search}`, bytes, 'application/octet-stream');
      }
      for (const name of [tag, sha256Digest(manifest)]) {
        await send('PUT', `/v2/${repository}/manifests/${name}`, manifest, manifestType);
      }
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function request(options: {
  readonly method: string;
  readonly port: number;
  readonly path: string;
  readonly body: Buffer;
  readonly type: string;
  readonly caPem: string | undefined;
}): Promise<http.IncomingHttpHeaders> {
  const { method, port, path, body, type, caPem } = options;
  const client = caPem === undefined ? http : https;
  const outgoing = client.request({
    host: '127.0.0.1',
    port,
    path,
    method,
    auth: 'ann:s3cret',
    headers: { 'content-type': type, 'content-length': body.length },
    ...(caPem === undefined ? {} : { ca: caPem }),
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  if ((response.statusCode ?? 500) >= 300) throw new Error(`${method} ${path}: ${response.statusCode}`);
  return response.headers;
}

async function makeCertificates(directory: string): Promise<string> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: directory });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test authority');
  await openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=registry');
  await writeFile(join(directory, 'extensions'), 'subjectAltName=IP:127.0.0.1\n');
  const signed = [
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
  ];
  await openssl('x509', ...signed, '-out', 'server.pem', '-extfile', 'extensions');
  return await readFile(join(directory, 'ca.pem'), 'utf8');
}

async function answering(port: number, daemon: ChildProcess): Promise<void> {
  const untilMs = performance.now() + 30_000;
  while (performance.now() < untilMs) {
    if (daemon.exitCode !== null) throw new Error(`docker-registry ended with ${daemon.exitCode}`);
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ port, host: '127.0.0.1' }, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`docker-registry does not answer on port ${port}`);
}
