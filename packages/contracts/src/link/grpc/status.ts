import { type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorKind, messageOf, OakestraError } from '../../errors.ts';

const CODES: Record<ErrorKind, status> = {
  invalid: status.INVALID_ARGUMENT,
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  'not-found': status.NOT_FOUND,
  conflict: status.ALREADY_EXISTS,
  exhausted: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  timeout: status.DEADLINE_EXCEEDED,
  unsupported: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
};

/** The gRPC status for something thrown. What is not one of our errors may hold anything, so only its kind leaves. */
export function grpcStatusOf(thrown: unknown): { code: status; details: string } {
  if (thrown instanceof OakestraError) return { code: CODES[thrown.kind], details: thrown.message };
  return { code: status.INTERNAL, details: 'internal error, its cause is in the log of the server' };
}

/** Our error for a gRPC call that failed; `what` names the call. */
export function errorOfGrpc(error: ServiceError, what: string): OakestraError {
  const found = Object.entries(CODES).find(([, code]) => code === error.code);
  const kind = (found?.[0] ?? 'internal') as ErrorKind;
  return new OakestraError(kind, 'grpc-call-failed', `${what} failed: ${describeStatus(error)}`, {
    cause: error,
  });
}

/** `UNAVAILABLE: details` */
export function describeStatus(error: Pick<ServiceError, 'code' | 'details'>): string {
  return `${status[error.code] ?? error.code}: ${error.details || messageOf(error)}`;
}
