import { createServer as createTcpServer } from 'node:net';
import { OakestraError, Sensitive } from '@oakestra/contracts';
import { seededRandom, systemClock } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256Digest } from './manifest.ts';
import { parseImageReference } from './reference.ts';
import { createRegistryClient, type RegistryClientOptions } from './registry-client.ts';
import type { RegistryRequest } from './registry-request.ts';
import { type FakeRegistry, startFakeRegistry } from './test-support/fake-registry.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const MANIFEST = Buffer.from('{"schemaVersion":2}');
const BLOB = Buffer.alloc(300_000, 'blob content ');
const CREDENTIALS = { username: 'ann', password: new Sensitive('s3cret') };

let registry: FakeRegistry;
let blobDigest: string;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  registry = await startFakeRegistry();
  registry.addManifest('team/app', '1', MANIFEST_TYPE, MANIFEST);
  blobDigest = registry.addBlob(BLOB);
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await registry.close();
});

function clientWith(options: Partial<RegistryClientOptions> = {}) {
  const client = createRegistryClient({
    clock: systemClock(),
    random: seededRandom(1),
    retryBaseMs: 1,
    idleTimeoutMs: 2_000,
    ...options,
  });
  closers.push(() => client.close());
  return client;
}

function requestFor(name = 'team/app:1', host = registry.host): RegistryRequest {
  return { reference: parseImageReference(`${host}/${name}`), signal: new AbortController().signal };
}

async function failure(promise: Promise<unknown>): Promise<OakestraError> {
  const error = await promise.then(
    () => new Error('it succeeded'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof OakestraError) return error;
  throw error;
}

async function bytesOf(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

const blobRequest = () => ({
  ...requestFor(),
  descriptor: { mediaType: '', digest: blobDigest, size: BLOB.length },
});

describe('resolve', () => {
  it('asks once, with HEAD and all types that we understand', async () => {
    const descriptor = await clientWith().resolve(requestFor());
    expect(descriptor).toEqual({
      mediaType: MANIFEST_TYPE,
      digest: sha256Digest(MANIFEST),
      size: MANIFEST.length,
    });
    expect(registry.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'HEAD /v2/team/app/manifests/1',
    ]);
    expect(registry.requests[0]?.headers.accept).toContain(
      'application/vnd.docker.distribution.manifest.list.v2+json',
    );
  });

  it('hashes the manifest when the registry does not tell the digest', async () => {
    registry.intercept = (request, response) => {
      if (request.method !== 'HEAD') return false;
      response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end();
      return true;
    };
    expect((await clientWith().resolve(requestFor())).digest).toBe(sha256Digest(MANIFEST));
  });

  it('names image and registry when there is no such image', async () => {
    const error = await failure(clientWith().resolve(requestFor('team/app:2')));
    expect(error.code).toBe('image-not-found');
    expect(error.message).toContain('team/app:2');
    expect(error.message).toContain(registry.host);
  });
});

describe('fetchManifest', () => {
  it('refuses content that does not have its digest', async () => {
    registry.intercept = (_, response) => {
      response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end('{"schemaVersion":2,"x":1}');
      return true;
    };
    const error = await failure(
      clientWith().fetchManifest({ ...requestFor(), digest: sha256Digest(MANIFEST) }),
    );
    expect(error.code).toBe('image-invalid');
  });

  it('stops reading a manifest that is too large', async () => {
    let sentBytes = 0;
    registry.intercept = (_, response) => {
      response.writeHead(200, { 'content-type': MANIFEST_TYPE });
      const more = (): void => {
        if (response.destroyed || sentBytes > 64 * 1024 * 1024) return;
        sentBytes += 1024 * 1024;
        response.write(Buffer.alloc(1024 * 1024), more);
      };
      more();
      return true;
    };
    const error = await failure(clientWith().fetchManifest(requestFor()));
    expect(error).toMatchObject({
      code: 'image-unsupported',
      message: expect.stringContaining('larger than 4 MiB'),
    });
    expect(sentBytes).toBeLessThan(32 * 1024 * 1024);
  });
});

describe('authorisation', () => {
  const tokenRealm = (accepts: (authorization: string | undefined) => boolean) => {
    registry.intercept = (request, response) => {
      const { authorization } = request.headers;
      if (request.url?.startsWith('/token')) {
        if (accepts(authorization)) response.end(JSON.stringify({ token: 'good', expires_in: 300 }));
        else response.writeHead(401).end();
        return true;
      }
      if (authorization === 'Bearer good') return false;
      const realm = `Bearer realm="http://${registry.host}/token",service="fake",scope="repository:team/app:pull"`;
      response.writeHead(401, { 'www-authenticate': realm }).end();
      return true;
    };
  };
  const basic = `Basic ${Buffer.from('ann:s3cret').toString('base64')}`;

  it('gets a token without credentials, and uses it again', async () => {
    tokenRealm((authorization) => authorization === undefined);
    const client = clientWith();
    await client.resolve(requestFor());
    await client.fetchManifest(requestFor());
    const paths = registry.requests.map(({ path }) => path);
    expect(paths.filter((path) => path.startsWith('/token'))).toEqual([
      '/token?service=fake&scope=repository%3Ateam%2Fapp%3Apull',
    ]);
  });

  it('gives its credentials to the token service', async () => {
    tokenRealm((authorization) => authorization === basic);
    await clientWith({ registries: { [registry.host]: { credentials: CREDENTIALS } } }).resolve(requestFor());
  });

  it('prefers the credentials of the request', async () => {
    tokenRealm((authorization) => authorization === basic);
    const wrong = { username: 'eve', password: new Sensitive('x') };
    const client = clientWith({ registries: { [registry.host]: { credentials: wrong } } });
    await client.resolve({ ...requestFor(), credentials: CREDENTIALS });
    expect((await failure(client.resolve(requestFor()))).code).toBe('registry-unauthorized');
  });

  it('answers a Basic challenge', async () => {
    registry.intercept = (request, response) => {
      if (request.headers.authorization === basic) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    await clientWith().resolve({ ...requestFor(), credentials: CREDENTIALS });
    const without = await failure(clientWith().resolve(requestFor()));
    expect(without).toMatchObject({ code: 'registry-unauthorized', details: { hasCredentials: false } });
    expect(without.message).toContain('No credentials were given');
  });

  it('says that credentials were given and are wrong, and does not show them', async () => {
    tokenRealm(() => false);
    const error = await failure(clientWith().resolve({ ...requestFor(), credentials: CREDENTIALS }));
    expect(error).toMatchObject({ code: 'registry-unauthorized', details: { hasCredentials: true } });
    expect(error.message).toContain('are wrong or do not permit it');
    expect(JSON.stringify([error.message, error.details])).not.toContain('s3cret');
  });

  it('sends credentials to no token service without TLS elsewhere', async () => {
    registry.intercept = (_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://tokens.example/token"' }).end();
      return true;
    };
    const error = await failure(clientWith().resolve({ ...requestFor(), credentials: CREDENTIALS }));
    expect(error.message).toContain('tokens.example does not use TLS');
  });
});

describe('redirects', () => {
  it('follows them without forwarding the authorisation', async () => {
    const storage = await startFakeRegistry();
    closers.push(() => storage.close());
    storage.intercept = (_, response) => {
      response.writeHead(200, { 'content-length': BLOB.length }).end(BLOB);
      return true;
    };
    registry.intercept = (request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      } else {
        response.writeHead(307, { location: `http://${storage.host}/signed?key=abc` }).end();
      }
      return true;
    };
    const bytes = await bytesOf(clientWith().readBlob({ ...blobRequest(), credentials: CREDENTIALS }));
    expect(bytes.equals(BLOB)).toBe(true);
    expect(storage.requests).toHaveLength(1);
    expect(storage.requests[0]?.headers.authorization).toBeUndefined();
  });

  it('refuses to leave for another host without TLS', async () => {
    registry.intercept = (_, response) => {
      response.writeHead(302, { location: 'http://storage.example/x' }).end();
      return true;
    };
    const error = await failure(clientWith().resolve(requestFor()));
    expect(error.message).toContain('storage.example without TLS');
    expect(error.message).toContain('registries.storage.example.plainHttp');
  });

  it('ends a circle', async () => {
    registry.intercept = (request, response) => {
      response.writeHead(302, { location: request.url ?? '/' }).end();
      return true;
    };
    expect((await failure(clientWith().resolve(requestFor()))).message).toContain('more than 5 times');
  });
});

describe('what fails for a moment', () => {
  it.each([500, 503, 429])('is tried again after %i', async (status) => {
    let failures = 3;
    registry.intercept = (_, response) => {
      if (failures-- <= 0) return false;
      response.writeHead(status, status === 429 ? { 'retry-after': '0' } : {}).end();
      return true;
    };
    expect((await clientWith().resolve(requestFor())).digest).toBe(sha256Digest(MANIFEST));
  });

  it('is tried again after a reset connection', async () => {
    let failures = 2;
    registry.intercept = (request) => {
      if (failures-- <= 0) return false;
      request.socket.resetAndDestroy();
      return true;
    };
    await clientWith().resolve(requestFor());
    expect(registry.requests).toHaveLength(3);
  });

  it('is reported in the end', async () => {
    registry.intercept = (_, response) => {
      response.writeHead(502).end('{"errors":[{"message":"out of order"}]}');
      return true;
    };
    const client = clientWith({ maxAttempts: 3 });
    const error = await failure(client.fetchManifest(requestFor()));
    expect(error).toMatchObject({ code: 'registry-refused', details: { status: 502 } });
    expect(error.message).toContain('out of order');
    expect(registry.requests).toHaveLength(3);
  });

  it('is reported at once when the registry asks for a long pause', async () => {
    registry.intercept = (_, response) => {
      response.writeHead(429, { 'retry-after': '3600' }).end();
      return true;
    };
    const error = await failure(clientWith().resolve(requestFor()));
    expect(error).toMatchObject({ code: 'registry-rate-limited', kind: 'exhausted' });
    expect(error.message).toContain('in 3600 s');
    expect(registry.requests).toHaveLength(1);
  });

  it('does not include what is simply not there', async () => {
    await failure(clientWith().resolve(requestFor('team/none')));
    expect(registry.requests).toHaveLength(1);
  });
});

describe('an unreachable registry', () => {
  it('is named with port and cause when nobody listens', async () => {
    const { host } = registry;
    await registry.close();
    const error = await failure(clientWith({ maxAttempts: 2 }).resolve(requestFor('x:1', host)));
    expect(error.code).toBe('registry-unreachable');
    expect(error.message).toContain(host);
    expect(error.message).toContain('connection refused');
  });

  it('is named with the cause when it is silent', async () => {
    registry.intercept = () => true;
    const error = await failure(clientWith({ idleTimeoutMs: 50, maxAttempts: 1 }).resolve(requestFor()));
    expect(error.code).toBe('registry-unreachable');
    expect(error.message).toContain('timeout');
  });

  it('is told apart from one that does not speak TLS', async () => {
    const client = clientWith({ registries: { [registry.host]: { plainHttp: false } }, maxAttempts: 1 });
    const error = await failure(client.resolve(requestFor()));
    expect(error.code).toBe('registry-tls-failed');
    expect(error.message).toContain(`registries.${registry.host}.plainHttp`);
  });

  it('is told apart from one that does not speak HTTP', async () => {
    const server = createTcpServer((socket) => socket.end('220 mail\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const address = server.address() as { port: number };
    const error = await failure(
      clientWith({ maxAttempts: 1 }).resolve(requestFor('x:1', `127.0.0.1:${address.port}`)),
    );
    expect(error.code).toBe('registry-unreachable');
  });
});

describe('readBlob', () => {
  /** Cuts the first answers short, each after another 100,000 bytes. */
  const cutAnswers = (count: number): void => {
    let left = count;
    registry.intercept = (request, response) => {
      if (!request.url?.includes('/blobs/') || left-- <= 0) return false;
      const start = registry.hasRanges
        ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
        : 0;
      const headers = { 'content-length': BLOB.length - start };
      response.writeHead(start > 0 ? 206 : 200, headers);
      const end = Math.min(BLOB.length, start + 100_000);
      response.write(BLOB.subarray(start, end), () => request.socket.destroy());
      return true;
    };
  };

  it('goes on where a download broke', async () => {
    cutAnswers(2);
    const bytes = await bytesOf(clientWith({ maxAttempts: 2 }).readBlob(blobRequest()));
    expect(bytes.equals(BLOB)).toBe(true);
    const ranges = registry.requests.map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true);
  });

  it('skips what it has when the registry knows no ranges', async () => {
    registry.hasRanges = false;
    cutAnswers(1);
    const bytes = await bytesOf(clientWith().readBlob(blobRequest()));
    expect(bytes.equals(BLOB)).toBe(true);
    const tail = await bytesOf(clientWith().readBlob({ ...blobRequest(), offset: 299_990 }));
    expect(tail.equals(BLOB.subarray(299_990))).toBe(true);
  });

  it('gives up when there is no progress any more', async () => {
    cutAnswers(1);
    const cut = registry.intercept;
    registry.intercept = (request, response) => {
      if (request.headers.range === undefined) return cut(request, response);
      request.socket.destroy();
      return true;
    };
    const error = await failure(bytesOf(clientWith({ maxAttempts: 3 }).readBlob(blobRequest())));
    expect(error.code).toBe('registry-unreachable');
    expect(registry.requests).toHaveLength(3);
  });

  it('notices a registry that falls silent, but not a slow reader', async () => {
    registry.intercept = (_, response) => {
      response.writeHead(200, { 'content-length': BLOB.length });
      response.write(BLOB.subarray(0, 10));
      return true;
    };
    const error = await failure(
      bytesOf(clientWith({ idleTimeoutMs: 50, maxAttempts: 1 }).readBlob(blobRequest())),
    );
    expect(error.message).toContain('no data for');

    registry.intercept = () => false;
    const slow = clientWith({ idleTimeoutMs: 50, maxAttempts: 1 }).readBlob(blobRequest());
    const first = await slow.next();
    await new Promise((resolve) => setTimeout(resolve, 120));
    const rest = await bytesOf(slow);
    expect((first.value as Buffer).length + rest.length).toBe(BLOB.length);
  });

  it('ends at once when aborted', async () => {
    registry.intercept = (_, response) => {
      response.writeHead(200, { 'content-length': BLOB.length });
      response.write(BLOB.subarray(0, 10));
      return true;
    };
    const controller = new AbortController();
    const blob = clientWith().readBlob({ ...blobRequest(), signal: controller.signal });
    await blob.next();
    const rest = blob.next();
    controller.abort(new Error('not needed'));
    await expect(rest).rejects.toThrow('not needed');
    expect(registry.requests).toHaveLength(1);
  });
});

describe('mirrors', () => {
  it('are asked first and passed over when they cannot help', async () => {
    const empty = await startFakeRegistry();
    closers.push(() => empty.close());
    const client = clientWith({
      registries: { [registry.host]: { mirrors: [empty.host], credentials: CREDENTIALS } },
    });
    expect((await client.resolve(requestFor())).digest).toBe(sha256Digest(MANIFEST));
    expect((await bytesOf(client.readBlob(blobRequest()))).equals(BLOB)).toBe(true);
    expect(empty.requests).toHaveLength(2);
    expect(empty.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it('serve for a registry that is down', async () => {
    const client = clientWith({ registries: { 'registry.example': { mirrors: [registry.host] } } });
    await client.resolve(requestFor('team/app:1', 'registry.example'));
  });
});
