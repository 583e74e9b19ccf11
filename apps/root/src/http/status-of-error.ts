import { type ErrorKind, OakestraError } from '@oakestra/contracts';

const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  invalid: 422,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  exhausted: 503,
  unavailable: 503,
  timeout: 504,
  unsupported: 501,
  internal: 500,
};

/** Where the compatible interface, or HTTP, is more exact than the kind. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  'body-missing': 400,
  'body-malformed': 400,
  'query-invalid': 400,
  'callback-invalid': 400,
  'report-invalid': 400,
  'login-invalid': 400,
  'user-invalid': 400,
  'password-wrong': 400,
  'password-unchanged': 400,
  'reset-link-invalid': 400,
  'reset-link-expired': 400,
  'organisation-invalid': 400,
  'personal-token-invalid': 400,
  'reset-throttled': 429,
  'login-throttled': 429,
  'login-busy': 429,
  'store-disk-full': 507,
  'https-required': 426,
  'method-unknown': 405,
  'revision-stale': 412,
};

/**
 * The HTTP status of whatever was thrown; undefined: a failure of our own, of which nothing but its existence may get
 * out.
 */
export function statusOfError(thrown: unknown): number | undefined {
  if (thrown instanceof OakestraError) {
    return thrown.kind === 'internal'
      ? undefined
      : (STATUS_OF_CODE[thrown.code] ?? STATUS_OF_KIND[thrown.kind]);
  }
  // Fastify's own refusals (body too large, malformed address, …) carry a status.
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return undefined;
  const status = thrown.statusCode;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

/** What HTTP wants in the header beside an error. */
export function headersOfError(thrown: unknown): Record<string, string> {
  if (!(thrown instanceof OakestraError)) return {};
  const { retryAfterSeconds } = thrown.details;
  return {
    ...(typeof retryAfterSeconds === 'number' ? { 'retry-after': String(retryAfterSeconds) } : {}),
    ...(thrown.kind === 'unauthenticated' ? { 'www-authenticate': 'Bearer' } : {}),
  };
}

/** What people are told about a failure of our own. */
export function internalErrorMessage(requestId: string): string {
  return `The root failed to do this. Its log says why, under the request id ${requestId}.`;
}
