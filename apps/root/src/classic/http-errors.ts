import { STATUS_CODES } from 'node:http';
import { type ErrorKind, type JsonObject, OakestraError } from '@oakestra/contracts';
import {
  errorToWire,
  malformedJsonToWire,
  notAnObjectToWire,
  tokenErrorToWire,
} from '@oakestra/contracts/classic';

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
  'login-invalid': 400,
  'login-throttled': 429,
  'login-busy': 429,
  'store-disk-full': 507,
  'https-required': 426,
  'method-unknown': 405,
};

export interface HttpError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
}

/** Turns whatever was thrown into an answer. Of failures of our own, nothing but their existence gets out. */
export function httpErrorOf(thrown: unknown, requestId: string): HttpError {
  if (thrown instanceof OakestraError && thrown.kind !== 'internal') {
    const status = STATUS_OF_CODE[thrown.code] ?? STATUS_OF_KIND[thrown.kind];
    return { status, headers: headersOf(thrown), body: bodyOf(thrown, status) };
  }
  const status = frameworkStatus(thrown);
  if (status !== undefined) {
    return { status, headers: {}, body: errorToWire(described(status, (thrown as Error).message)) };
  }
  const message = `The root failed to do this. Its log says why, under the request id ${requestId}.`;
  return { status: 500, headers: {}, body: errorToWire(described(500, message)) };
}

function bodyOf(error: OakestraError, status: number): JsonObject {
  if (error.code === 'body-malformed') return malformedJsonToWire(error.message);
  if (error.code === 'body-not-object') return notAnObjectToWire(error.message);
  if (error.code.startsWith('token-')) return tokenErrorToWire(error.message);
  return errorToWire({ ...described(status, error.message), violations: error.violations });
}

function headersOf({ kind, details }: OakestraError): Record<string, string> {
  const { retryAfterSeconds } = details;
  return {
    ...(typeof retryAfterSeconds === 'number' ? { 'retry-after': String(retryAfterSeconds) } : {}),
    ...(kind === 'unauthenticated' ? { 'www-authenticate': 'Bearer' } : {}),
  };
}

function described(status: number, message: string) {
  return { status, reason: STATUS_CODES[status] ?? 'Error', message };
}

/** Fastify's own refusals (body too large, malformed address, …) carry a status. */
function frameworkStatus(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return undefined;
  const status = thrown.statusCode;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
