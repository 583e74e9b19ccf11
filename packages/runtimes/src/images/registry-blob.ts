import type http from 'node:http';
import { OakestraError } from '@oakestra/contracts';
import { backoffDelayMs, type Clock, type Random, sleep } from '@oakestra/daemon';
import type { HttpTransport } from './http-transport.ts';
import { imageError } from './image-errors.ts';
import { brokenDownload, isTemporary, retryAfterMsOf, type Subject } from './registry-errors.ts';
import type { BlobRequest } from './registry-request.ts';
import type { RegistryRequests } from './registry-requests.ts';
import type { RegistryEndpoint } from './registry-settings.ts';

export interface BlobSource {
  readonly endpoints: readonly RegistryEndpoint[];
  readonly subject: Subject;
  readonly requests: RegistryRequests;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
  readonly maxAttempts: number;
  readonly retryBaseMs: number;
  readonly maxRetryAfterMs: number;
}

const RETRY_CAP_MS = 10_000;

/** Yields a blob from an offset on, over as many connections as it takes while there is progress. */
export async function* readBlob(request: BlobRequest, source: BlobSource): AsyncGenerator<Buffer, void> {
  const { descriptor, signal } = request;
  let offset = request.offset ?? 0;
  let failures = 0;
  const endpoints = [...source.endpoints];

  while (offset < descriptor.size) {
    const endpoint = endpoints[0];
    if (endpoint === undefined) return;
    const startedAt = offset;
    try {
      for await (const chunk of readOnce(request, offset, endpoint, source)) {
        offset += chunk.length;
        if (offset > descriptor.size) throw wrongSize(request, source, offset);
        yield chunk;
      }
      if (offset < descriptor.size)
        throw brokenDownload(new Error('the connection ended early'), source.subject, endpoint);
    } catch (error) {
      signal.throwIfAborted();
      if (offset > startedAt) failures = 0;
      if (endpoint.isMirror) {
        endpoints.shift();
        continue;
      }
      failures++;
      await waitAfter(error, failures, source, signal);
    }
  }
}

async function* readOnce(
  request: BlobRequest,
  offset: number,
  endpoint: RegistryEndpoint,
  { subject, requests, transport }: BlobSource,
): AsyncGenerator<Buffer, void> {
  const { descriptor, reference, signal } = request;
  const response = await requests.send({
    endpoint,
    repository: reference.repository,
    subject,
    method: 'GET',
    path: `blobs/${descriptor.digest}`,
    // Layers are compressed already; a proxy must not do it again, it would break offsets and digests.
    headers: { 'accept-encoding': 'identity', ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) },
    signal,
  });
  // Not every server knows ranges: then what we have is skipped.
  let toSkip = offset - startOf(response, offset);
  try {
    if (toSkip < 0) throw new Error('it answered with another range than asked for');
    for await (const chunk of transport.read(response)) {
      if (toSkip >= chunk.length) toSkip -= chunk.length;
      else {
        yield toSkip > 0 ? chunk.subarray(toSkip) : chunk;
        toSkip = 0;
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof OakestraError ? error : brokenDownload(error, subject, endpoint);
  }
}

function startOf(response: http.IncomingMessage, offset: number): number {
  if (response.statusCode !== 206) return 0;
  const match = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '');
  const start = match === null ? offset : Number(match[1]);
  return start;
}

/** Throws when there is no sense in another attempt. */
async function waitAfter(
  error: unknown,
  failures: number,
  source: BlobSource,
  signal: AbortSignal,
): Promise<void> {
  const askedMs = retryAfterMsOf(error) ?? 0;
  if (!isTemporary(error) || failures >= source.maxAttempts || askedMs > source.maxRetryAfterMs) throw error;
  const backoffMs = backoffDelayMs(
    { attempt: failures, baseMs: source.retryBaseMs, capMs: RETRY_CAP_MS },
    source.random,
  );
  await sleep(source.clock, askedMs + backoffMs, signal);
}

function wrongSize({ descriptor }: BlobRequest, { subject }: BlobSource, atLeast: number): OakestraError {
  return imageError(
    'image-invalid',
    `A part of image ${subject.imageName} is longer than its manifest says: ${atLeast} instead of ${descriptor.size} bytes`,
    { details: { digest: descriptor.digest } },
  );
}
