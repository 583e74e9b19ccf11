import type http from 'node:http';
import { Sensitive } from '@oakestra/contracts';
import type { Clock } from '@oakestra/daemon';
import type { HttpTransport } from './http-transport.ts';
import { imageError } from './image-errors.ts';
import { readLimited } from './limited-body.ts';
import { failedAnswer } from './registry-answer.ts';
import { answerError, connectionError, type Subject, unauthorized } from './registry-errors.ts';
import {
  allowsPlainHttp,
  type Registries,
  type RegistryCredentials,
  type RegistryEndpoint,
} from './registry-settings.ts';

export interface Challenge {
  /** `bearer`, `basic`, … in lower case. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

interface AuthRequest {
  readonly endpoint: RegistryEndpoint;
  readonly repository: string;
  readonly subject: Subject;
  readonly signal: AbortSignal;
}

/** Finds the value of `Authorization` for requests to registries, and remembers it while it is valid. */
export interface RegistryAuth {
  /** What an earlier challenge led to; undefined before the first. */
  cached(endpoint: RegistryEndpoint, repository: string): Sensitive | undefined;
  /** Answers a 401; fails with `registry-unauthorized` when there is no way in. */
  answer(response: http.IncomingMessage, request: AuthRequest): Promise<Sensitive>;
}

interface Grant {
  readonly header: Sensitive;
  /** On the monotonic clock. */
  readonly expiresAtMs: number;
}

const MAX_TOKEN_BYTES = 1024 * 1024;
/** The token specification's default, less a margin for a request that is on its way. */
const DEFAULT_TOKEN_SECONDS = 60;
const EXPIRY_MARGIN_MS = 5_000;

export function createRegistryAuth(options: {
  readonly transport: HttpTransport;
  readonly registries: Registries;
  readonly clock: Clock;
}): RegistryAuth {
  const { transport, registries, clock } = options;
  const grants = new Map<string, Grant>();
  // Two users of one host must not share a token, so the user is part of the key.
  const keyOf = (endpoint: RegistryEndpoint, repository: string) =>
    JSON.stringify([
      endpoint.host,
      repository,
      endpoint.credentials?.username,
      endpoint.credentials?.password.reveal(),
    ]);

  const fetchToken = async (challenge: Challenge, request: AuthRequest): Promise<Grant> => {
    const { endpoint, subject, signal } = request;
    const url = tokenUrl(challenge, request, registries);
    const headers: Record<string, string> = { accept: 'application/json' };
    if (endpoint.credentials !== undefined) headers.authorization = basicHeader(endpoint.credentials);
    try {
      const response = await transport.send({ method: 'GET', url, headers, signal });
      if (response.statusCode !== 200)
        throw answerError(await failedAnswer(response, transport, clock), subject, endpoint);
      return parseToken(await readLimited(transport.read(response), MAX_TOKEN_BYTES), clock, endpoint);
    } catch (error) {
      signal.throwIfAborted();
      throw isOwn(error) ? error : connectionError(error, url, endpoint);
    }
  };

  return {
    cached(endpoint, repository) {
      const grant = grants.get(keyOf(endpoint, repository));
      return grant !== undefined && grant.expiresAtMs > clock.monotonicMs() ? grant.header : undefined;
    },

    async answer(response, request) {
      const { endpoint, repository, subject } = request;
      const challenges = parseChallenges(response.headers['www-authenticate'] ?? '');
      const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
      const basic = challenges.find((challenge) => challenge.scheme === 'basic');
      response.destroy();
      let grant: Grant;
      if (bearer !== undefined) {
        grant = await fetchToken(bearer, request);
      } else if (basic !== undefined && endpoint.credentials !== undefined) {
        const header = new Sensitive(basicHeader(endpoint.credentials));
        grant = { header, expiresAtMs: Number.POSITIVE_INFINITY };
      } else {
        throw unauthorized(endpoint, subject);
      }
      grants.set(keyOf(endpoint, repository), grant);
      return grant.header;
    },
  };
}

/** Reads `WWW-Authenticate`, which may hold several challenges (RFC 9110, 11.6.1). */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /\s*,?\s*([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/gy;
  for (let match = token.exec(header); match !== null; match = token.exec(header)) {
    const [, name = '', quoted, bare] = match;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? bare;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: {} });
    else {
      const current = challenges.at(-1);
      if (current !== undefined) current.parameters[name.toLowerCase()] = value;
    }
  }
  return challenges;
}

function tokenUrl(challenge: Challenge, { endpoint, repository }: AuthRequest, registries: Registries): URL {
  const { realm = '', service, scope } = challenge.parameters;
  const refuse = (reason: string): Error =>
    imageError(
      'registry-refused',
      `Registry ${endpoint.host} names a token service that is not used: ${reason}`,
      { details: { registry: endpoint.host } },
    );
  if (!URL.canParse(realm)) throw refuse('its address is not valid');
  const url = new URL(realm);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('its address is not HTTP');
  // Credentials go there: what was reached over TLS must not lead to a place without.
  if (
    url.protocol === 'http:' &&
    (endpoint.baseUrl.protocol === 'https:' || !allowsPlainHttp(url.host, registries))
  ) {
    throw refuse(`${url.host} does not use TLS`);
  }
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope ?? `repository:${repository}:pull`);
  if (endpoint.credentials !== undefined) url.searchParams.set('account', endpoint.credentials.username);
  return url;
}

function parseToken(bytes: Buffer, clock: Clock, endpoint: RegistryEndpoint): Grant {
  let document: { token?: unknown; access_token?: unknown; expires_in?: unknown } = {};
  try {
    document = (JSON.parse(bytes.toString('utf8')) ?? {}) as typeof document;
  } catch {
    // Falls through to the refusal: the text may be a secret and is not shown.
  }
  const token = document.token ?? document.access_token;
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw imageError(
      'registry-refused',
      `The token service of registry ${endpoint.host} did not answer with a token`,
      {
        details: { registry: endpoint.host },
      },
    );
  }
  const seconds = typeof document.expires_in === 'number' ? document.expires_in : DEFAULT_TOKEN_SECONDS;
  const lifetimeMs = Math.max(seconds, DEFAULT_TOKEN_SECONDS) * 1000 - EXPIRY_MARGIN_MS;
  return { header: new Sensitive(`Bearer ${token}`), expiresAtMs: clock.monotonicMs() + lifetimeMs };
}

function basicHeader({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password.reveal()}`, 'utf8').toString('base64')}`;
}

function isOwn(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'OakestraError';
}
