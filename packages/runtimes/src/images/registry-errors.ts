import { messageOf, type OakestraError } from '@oakestra/contracts';
import { imageError } from './image-errors.ts';
import { type RegistryEndpoint, settingName } from './registry-settings.ts';

/** What was asked for, as messages name it. */
export interface Subject {
  readonly imageName: string;
  /** `manifest`: the image itself; `blob`: a part of it. */
  readonly kind: 'manifest' | 'blob';
}

export interface FailedAnswer {
  readonly status: number;
  /** The registry's own words, if it gave any. */
  readonly reason: string;
  readonly retryAfterMs?: number;
}

const UNKNOWN_CA = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);
const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ENOTFOUND: 'the name is unknown to DNS',
  EAI_AGAIN: 'DNS does not answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'timeout',
};

/** A failure below HTTP: no connection, a broken one, or no trust. */
export function connectionError(thrown: unknown, url: URL, endpoint: RegistryEndpoint): OakestraError {
  const error = firstOf(thrown);
  const code = (error as { code?: unknown }).code;
  const text = messageOf(error);
  const address = `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`;
  const tls = typeof code === 'string' ? tlsReason(code, text, url.host) : undefined;
  if (tls !== undefined) {
    return imageError('registry-tls-failed', `No trusted connection to the registry at ${address}: ${tls}`, {
      cause: thrown,
      details: { registry: endpoint.host, address, reason: code },
    });
  }
  const known = typeof code === 'string' ? CAUSES[code] : undefined;
  const cause =
    known === undefined ? text : code === 'ETIMEDOUT' && text !== '' ? `${known} (${text})` : known;
  return imageError(
    'registry-unreachable',
    `The registry ${endpoint.host} cannot be reached at ${address}: ${cause}. Check that it runs and that ` +
      'this host can connect to it',
    { cause: thrown, details: { registry: endpoint.host, address, reason: code ?? text, isTemporary: true } },
  );
}

/** An answer that is no success. */
export function answerError(
  answer: FailedAnswer,
  subject: Subject,
  endpoint: RegistryEndpoint,
): OakestraError {
  const { status, reason, retryAfterMs } = answer;
  const details = { registry: endpoint.host, status };
  const words = reason === '' ? '' : ` (${reason})`;
  if (status === 401 || status === 403) return unauthorized(endpoint, subject, words);
  if (status === 404) {
    const what =
      subject.kind === 'manifest'
        ? `Image ${subject.imageName} does not exist at registry ${endpoint.host}${words}. Check name and tag`
        : `Registry ${endpoint.host} lacks a part of image ${subject.imageName}${words}. Push the image again`;
    return imageError('image-not-found', what, { details });
  }
  if (status === 429) {
    const wait = retryAfterMs === undefined ? 'later' : `in ${Math.ceil(retryAfterMs / 1000)} s`;
    return imageError(
      'registry-rate-limited',
      `Registry ${endpoint.host} limits how often it is asked${words}. Try again ${wait}, ` +
        'or give credentials that have a higher limit',
      { details: { ...details, ...(retryAfterMs === undefined ? {} : { retryAfterMs }), isTemporary: true } },
    );
  }
  if (status === 400 && /HTTPS server/i.test(reason)) {
    return imageError(
      'registry-refused',
      `Registry ${endpoint.host} speaks TLS, but was asked without. Set ${settingName(endpoint.host, 'plainHttp')} to false`,
      { details },
    );
  }
  return imageError(
    'registry-refused',
    `Registry ${endpoint.host} answered ${status}${words} when asked for image ${subject.imageName}`,
    { details: { ...details, isTemporary: status >= 500 || status === 408 } },
  );
}

/** The connection ended in the middle of an answer. */
export function brokenDownload(error: unknown, subject: Subject, endpoint: RegistryEndpoint): OakestraError {
  return imageError(
    'registry-unreachable',
    `The registry ${endpoint.host} broke off while sending image ${subject.imageName}: ${messageOf(error)}`,
    { cause: error, details: { registry: endpoint.host, isTemporary: true } },
  );
}

/** Says whether credentials were there, and never which. */
export function unauthorized(endpoint: RegistryEndpoint, subject: Subject, words = ''): OakestraError {
  const given = endpoint.credentials !== undefined;
  const advice = given
    ? 'The credentials that were given are wrong or do not permit it'
    : `No credentials were given: if the image exists, give them with the service or in ${settingName(endpoint.host, 'username')}`;
  return imageError(
    'registry-unauthorized',
    `Registry ${endpoint.host} refuses image ${subject.imageName}${words}. ${advice}`,
    { details: { registry: endpoint.host, hasCredentials: given } },
  );
}

/** May the same request succeed in a moment? */
export function isTemporary(thrown: unknown): boolean {
  return (thrown as Partial<OakestraError>).details?.isTemporary === true;
}

export function retryAfterMsOf(thrown: unknown): number | undefined {
  const value = (thrown as Partial<OakestraError>).details?.retryAfterMs;
  return typeof value === 'number' ? value : undefined;
}

function tlsReason(code: string, text: string, host: string): string | undefined {
  const trust = settingName(host, 'caFile');
  if (UNKNOWN_CA.has(code)) {
    return `its certificate is signed by an unknown authority (${code}). Name a file with the authority's certificate in ${trust}`;
  }
  if (code === 'CERT_HAS_EXPIRED')
    return 'its certificate has expired. Renew it, or set the clock of this host';
  if (code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid yet. Set the clock of this host';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is for another name. ${text}`;
  if (code.startsWith('CERT_')) return `its certificate is not accepted: ${text}`;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || (code === 'EPROTO' && /wrong version number/i.test(text))) {
    return `it does not speak TLS. Set ${settingName(host, 'plainHttp')} if plain HTTP is intended`;
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) return text;
  if (code.startsWith('ERR_OSSL')) return `the certificate in ${trust} cannot be read: ${text}`;
  return undefined;
}

/** Node tries all addresses of a name and reports them together, in an error without a text. */
function firstOf(thrown: unknown): unknown {
  return thrown instanceof AggregateError && thrown.errors.length > 0 ? thrown.errors[0] : thrown;
}
