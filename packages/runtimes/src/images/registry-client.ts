import { OakestraError } from '@oakestra/contracts';
import { type Clock, type Random, retry } from '@oakestra/daemon';
import { createHttpTransport } from './http-transport.ts';
import { hasCode, imageError } from './image-errors.ts';
import { readLimited, TooLargeError } from './limited-body.ts';
import { type Descriptor, isDigest, MAX_MANIFEST_BYTES, sha256Digest, verifyDigest } from './manifest.ts';
import { ACCEPTED_MANIFESTS } from './media-types.ts';
import { familiarImageReference, type ImageReference } from './reference.ts';
import { createRegistryAuth } from './registry-auth.ts';
import { readBlob } from './registry-blob.ts';
import { brokenDownload, isTemporary, retryAfterMsOf, type Subject } from './registry-errors.ts';
import type { BlobRequest, RegistryRequest } from './registry-request.ts';
import { createRegistryRequests } from './registry-requests.ts';
import {
  type Registries,
  type RegistryEndpoint,
  registryEndpoints,
  settingsOf,
} from './registry-settings.ts';

export interface RegistryClientOptions {
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
  /** Settings of registries that need other than the defaults. */
  readonly registries?: Registries;
  /** A registry that is silent for this long counts as unreachable. Default 30 s. */
  readonly idleTimeoutMs?: number;
  /** How often one request is sent when it fails for a moment. Default 5. */
  readonly maxAttempts?: number;
  /** First bound of the delay between attempts, doubled with each. Default 250 ms. */
  readonly retryBaseMs?: number;
}

/**
 * Reads images from registries that speak the registry protocol, version 2. Failures are `OakestraError`s:
 * `image-not-found`, `registry-unreachable`, `registry-unauthorized`, `registry-tls-failed`,
 * `registry-rate-limited`, `registry-refused`, `image-invalid`. What may pass in a moment was tried again before.
 */
export interface RegistryClient {
  /** What the reference means now: one HEAD request (and a GET where the registry does not tell the digest). */
  resolve(request: RegistryRequest): Promise<Descriptor>;
  /** A manifest or index, verified; `digest` is the reference's own digest or tag when absent. */
  fetchManifest(
    request: RegistryRequest & { readonly digest?: string },
  ): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer }>;
  /** A small blob in one piece, verified. */
  fetchBlob(request: RegistryRequest & { readonly descriptor: Descriptor }): Promise<Buffer>;
  /**
   * The bytes of a blob from `offset` on. A download that breaks is continued where it stopped. The content is
   * not hashed here: whoever stores it does that.
   */
  readBlob(request: BlobRequest): AsyncGenerator<Buffer, void>;
  /** Closes idle connections. */
  close(): void;
}

const ACCEPT = ACCEPTED_MANIFESTS.join(', ');
/** Longer than this, nobody should wait in silence: the error says when to come back. */
const MAX_RETRY_AFTER_MS = 60_000;

export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const { clock, random, registries = {}, idleTimeoutMs = 30_000 } = options;
  const { maxAttempts = 5, retryBaseMs = 250 } = options;
  const transport = createHttpTransport({
    clock,
    idleTimeoutMs,
    caPemFor: (host) => settingsOf(host, registries).caPem,
  });
  const auth = createRegistryAuth({ transport, registries, clock });
  const requests = createRegistryRequests({ transport, auth, registries, clock });

  /** Mirrors first; a mirror that cannot help is passed over, whatever its reason. */
  const atEachEndpoint = async <T>(
    { reference, credentials, signal }: RegistryRequest,
    action: (endpoint: RegistryEndpoint) => Promise<T>,
  ): Promise<T> => {
    for (const endpoint of registryEndpoints(reference.registry, registries, credentials)) {
      try {
        return endpoint.isMirror ? await action(endpoint) : await withRetries(signal, () => action(endpoint));
      } catch (error) {
        signal.throwIfAborted();
        if (!endpoint.isMirror) throw error;
      }
    }
    throw new Error('the last endpoint is never a mirror');
  };

  const withRetries = <T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> =>
    retry(action, {
      clock,
      random,
      signal,
      maxAttempts,
      baseMs: retryBaseMs,
      isRetryable: (error) => isTemporary(error) && (retryAfterMsOf(error) ?? 0) <= MAX_RETRY_AFTER_MS,
      minimumDelayMs: retryAfterMsOf,
    });

  const subjectOf = (reference: ImageReference, kind: Subject['kind']): Subject => ({
    imageName: familiarImageReference(reference),
    kind,
  });

  const head = async (
    request: RegistryRequest,
    endpoint: RegistryEndpoint,
  ): Promise<Descriptor | undefined> => {
    const { reference, signal } = request;
    const response = await requests.send({
      endpoint,
      repository: reference.repository,
      subject: subjectOf(reference, 'manifest'),
      method: 'HEAD',
      path: `manifests/${reference.digest ?? reference.tag ?? 'latest'}`,
      headers: { accept: ACCEPT },
      signal,
    });
    response.resume();
    const digest = response.headers['docker-content-digest'];
    const size = Number(response.headers['content-length']);
    if (typeof digest !== 'string' || !isDigest(digest) || !Number.isSafeInteger(size) || size <= 0)
      return undefined;
    return { mediaType: response.headers['content-type'] ?? '', digest, size };
  };

  const getManifest = async (
    request: RegistryRequest,
    endpoint: RegistryEndpoint,
    digest: string | undefined,
  ): Promise<{ descriptor: Descriptor; bytes: Buffer }> => {
    const { reference, signal } = request;
    const subject = subjectOf(reference, 'manifest');
    const response = await requests.send({
      endpoint,
      repository: reference.repository,
      subject,
      method: 'GET',
      path: `manifests/${digest ?? reference.tag ?? 'latest'}`,
      headers: { accept: ACCEPT },
      signal,
    });
    const bytes = await collect(transport.read(response), MAX_MANIFEST_BYTES, subject, endpoint, signal);
    if (digest !== undefined) verifyDigest(bytes, digest, `The manifest of image ${subject.imageName}`);
    const descriptor = {
      mediaType: response.headers['content-type'] ?? '',
      digest: digest ?? sha256Digest(bytes),
      size: bytes.length,
    };
    return { descriptor, bytes };
  };

  return {
    resolve: (request) =>
      atEachEndpoint(
        request,
        async (endpoint) =>
          (await head(request, endpoint)) ??
          (await getManifest(request, endpoint, request.reference.digest)).descriptor,
      ),

    fetchManifest: (request) =>
      atEachEndpoint(request, (endpoint) =>
        getManifest(request, endpoint, request.digest ?? request.reference.digest),
      ),

    fetchBlob: (request) =>
      atEachEndpoint(request, async (endpoint) => {
        const { descriptor, reference, signal } = request;
        const subject = subjectOf(reference, 'blob');
        const response = await requests.send({
          endpoint,
          repository: reference.repository,
          subject,
          method: 'GET',
          path: `blobs/${descriptor.digest}`,
          headers: {},
          signal,
        });
        const bytes = await collect(transport.read(response), MAX_MANIFEST_BYTES, subject, endpoint, signal);
        verifyDigest(bytes, descriptor.digest, `A part of image ${subject.imageName}`);
        return bytes;
      }),

    readBlob: (request) =>
      readBlob(request, {
        endpoints: registryEndpoints(request.reference.registry, registries, request.credentials),
        subject: subjectOf(request.reference, 'blob'),
        requests,
        transport,
        clock,
        random,
        maxAttempts,
        retryBaseMs,
        maxRetryAfterMs: MAX_RETRY_AFTER_MS,
      }),

    close: () => transport.close(),
  };
}

async function collect(
  chunks: AsyncIterable<Buffer>,
  limitBytes: number,
  subject: Subject,
  endpoint: RegistryEndpoint,
  signal: AbortSignal,
): Promise<Buffer> {
  try {
    return await readLimited(chunks, limitBytes);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TooLargeError) {
      throw imageError(
        'image-unsupported',
        `A manifest or configuration of image ${subject.imageName} is larger than ${limitBytes / 1024 / 1024} MiB`,
        { details: { registry: endpoint.host, limitBytes } },
      );
    }
    throw error instanceof OakestraError ? error : brokenDownload(error, subject, endpoint);
  }
}

/** Is this a failure of the way to the registry, not of what was asked for? */
export function isUnreachable(thrown: unknown): boolean {
  return hasCode(thrown, 'registry-unreachable', 'registry-rate-limited') || isTemporary(thrown);
}
