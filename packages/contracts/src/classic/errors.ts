import type { JsonObject } from '../documents.ts';
import type { Violation } from '../errors.ts';

/** Error bodies of the compatible interface (root-api 2.3): always an object, always with a message (Q1, Q2). */
export interface ClassicError {
  readonly status: number;
  /** Reason phrase of the status, such as `Not Found`. */
  readonly reason: string;
  readonly message: string;
  readonly violations?: readonly Violation[];
}

export function errorToWire(error: ClassicError): JsonObject {
  const { status, reason, message, violations = [] } = error;
  if (violations.length === 0) return { code: status, status: reason, message };
  return { code: status, errors: { json: violationsByPath(violations) }, status: reason, message };
}

/** The body could not be parsed. */
export function malformedJsonToWire(message: string): JsonObject {
  return { code: 400, errors: { json: ['Invalid JSON body.'] }, status: 'Bad Request', message };
}

/** The body is JSON, but no object. */
export function notAnObjectToWire(message: string): JsonObject {
  const errors = { json: { _schema: ['Invalid input type.'] } };
  return { code: 422, errors, status: 'Unprocessable Entity', message };
}

/** A token is missing or refused: both families of the original, unified on 401 (root-api 3.2). */
export function tokenErrorToWire(message: string): JsonObject {
  return { code: 401, status: 'Unauthorized', msg: message, message };
}

function violationsByPath(violations: readonly Violation[]): JsonObject {
  const byPath = new Map<string, string[]>();
  for (const { path, message } of violations) byPath.set(path, [...(byPath.get(path) ?? []), message]);
  return Object.fromEntries(byPath);
}
