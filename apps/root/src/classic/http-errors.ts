import { STATUS_CODES } from 'node:http';
import { type JsonObject, OakestraError } from '@oakestra/contracts';
import {
  errorToWire,
  malformedJsonToWire,
  notAnObjectToWire,
  tokenErrorToWire,
} from '@oakestra/contracts/classic';
import { headersOfError, internalErrorMessage, statusOfError } from '../http/index.ts';

export interface HttpError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
}

/** Turns whatever was thrown into an answer as old clients expect it (root-api 2.3). */
export function httpErrorOf(thrown: unknown, requestId: string): HttpError {
  const status = statusOfError(thrown);
  if (status === undefined) {
    const body = errorToWire(described(500, internalErrorMessage(requestId)));
    return { status: 500, headers: {}, body };
  }
  return { status, headers: headersOfError(thrown), body: bodyOf(thrown as Error, status) };
}

function bodyOf(error: Error, status: number): JsonObject {
  if (!(error instanceof OakestraError)) return errorToWire(described(status, error.message));
  if (error.code === 'body-malformed') return malformedJsonToWire(error.message);
  if (error.code === 'body-not-object') return notAnObjectToWire(error.message);
  if (error.code.startsWith('token-')) return tokenErrorToWire(error.message);
  return errorToWire({ ...described(status, error.message), violations: error.violations });
}

function described(status: number, message: string) {
  return { status, reason: STATUS_CODES[status] ?? 'Error', message };
}
