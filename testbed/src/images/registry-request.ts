import { createReadStream } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { OakestraError, type Sensitive } from '@oakestra/contracts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: Sensitive;
}

/** How to reach a registry. */
export interface RegistryAccess {
  /** `http://127.0.0.1:5000` or `https://…`, without a path. */
  readonly url: string;
  readonly credentials?: RegistryCredentials;
  /** PEM text of the authority that signed the registry's certificate; default: those of the system. */
  readonly ca?: string;
}

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path with query, or a full URL that the registry gave. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | { readonly file: string };
  /** Default 60,000, from the beginning to the last byte. */
  readonly timeoutMs?: number;
}

export interface RegistryResponse {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** One request to a registry; fails only when no answer comes. */
export async function registryRequest(
  access: RegistryAccess,
  { method, target, headers = {}, body, timeoutMs = 60_000 }: RegistryRequest,
): Promise<RegistryResponse> {
  const url = new URL(target, access.url);
  const isHome = url.origin === new URL(access.url).origin;
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const outgoing = send(url, {
    method,
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
    headers: {
      ...headers,
      // A registry may send uploads elsewhere; the password stays at home.
      ...(access.credentials && isHome ? { authorization: basicAuthorization(access.credentials) } : {}),
      ...(Buffer.isBuffer(body) ? { 'content-length': body.length } : {}),
    },
    ...(access.ca === undefined ? {} : { ca: access.ca }),
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
  });
  try {
    if (body !== undefined && !Buffer.isBuffer(body)) {
      // A registry that refuses early closes the connection: its answer says more than the broken pipe.
      await pipeline(createReadStream(body.file), outgoing).catch(() => undefined);
    } else {
      outgoing.end(body);
    }
    const response = await answered;
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) };
  } catch (cause) {
    throw new OakestraError(
      'unavailable',
      'registry-unreachable',
      `The registry at ${access.url} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function basicAuthorization({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`;
}
