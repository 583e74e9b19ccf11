import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { sha256Digest } from '../manifest.ts';

/** A request as it arrived, for tests that look at what was sent. */
interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** Answers in place of the registry; true when it did. */
type Intercept = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;

/** As much of a registry as the tests need, in this process, with room for every kind of fault. */
export interface FakeRegistry {
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly requests: readonly SeenRequest[];
  addBlob(bytes: Buffer): string;
  /** Returns the digest. */
  addManifest(repository: string, tag: string, mediaType: string, bytes: Buffer): string;
  /** Set to misbehave. */
  intercept: Intercept;
  /** Serve ranges; default true. */
  hasRanges: boolean;
  /** Breaks all connections, those in the middle of an answer too. */
  breakConnections(): void;
  close(): Promise<void>;
}

export async function startFakeRegistry(port = 0): Promise<FakeRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { readonly mediaType: string; readonly bytes: Buffer }>();
  const requests: SeenRequest[] = [];
  const server = http.createServer((request, response) => {
    const path = request.url ?? '';
    requests.push({ method: request.method ?? '', path, headers: request.headers });
    if (registry.intercept(request, response)) return;
    const [, repository, kind, name] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    if (kind === 'manifests') serveManifest(manifests.get(`${repository}:${name}`), request, response);
    else if (kind === 'blobs') serveBlob(blobs.get(name ?? ''), request, response);
    else response.writeHead(404).end();
  });

  const serveBlob = (
    bytes: Buffer | undefined,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): void => {
    if (bytes === undefined) {
      response
        .writeHead(404)
        .end('{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}');
      return;
    }
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    if (range === null || !registry.hasRanges) {
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      return;
    }
    const start = Number(range[1]);
    const part = bytes.subarray(start);
    response
      .writeHead(206, {
        'content-length': part.length,
        'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      })
      .end(part);
  };
  const serveManifest = (
    manifest: { readonly mediaType: string; readonly bytes: Buffer } | undefined,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): void => {
    if (manifest === undefined) {
      response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      return;
    }
    response.writeHead(200, {
      'content-type': manifest.mediaType,
      'content-length': manifest.bytes.length,
      'docker-content-digest': sha256Digest(manifest.bytes),
    });
    response.end(request.method === 'HEAD' ? undefined : manifest.bytes);
  };

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const registry: FakeRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    addBlob(bytes) {
      const digest = sha256Digest(bytes);
      blobs.set(digest, bytes);
      return digest;
    },
    addManifest(repository, tag, mediaType, bytes) {
      const digest = sha256Digest(bytes);
      manifests.set(`${repository}:${tag}`, { mediaType, bytes });
      manifests.set(`${repository}:${digest}`, { mediaType, bytes });
      return digest;
    },
    intercept: () => false,
    hasRanges: true,
    breakConnections: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return registry;
}
