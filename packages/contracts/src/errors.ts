/** What went wrong, as a caller can act on it. Each transport maps a kind once (HTTP status, gRPC code, exit code). */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'exhausted'
  | 'unavailable'
  | 'timeout'
  | 'unsupported'
  | 'internal';

/** One violated rule of a document: where (a path such as `applications[0].microservices[1].port`) and why. */
export interface Violation {
  readonly path: string;
  readonly message: string;
}

export interface ErrorOptions {
  readonly cause?: unknown;
  /** Machine-readable facts; never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly violations?: readonly Violation[];
}

/**
 * The error of all our parts. `code` is stable and in kebab-case (`image-not-found`); the message is for people
 * and says what to do next.
 */
export class OakestraError extends Error {
  override readonly name = 'OakestraError';
  readonly kind: ErrorKind;
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly violations: readonly Violation[];

  constructor(kind: ErrorKind, code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.details = options.details ?? {};
    this.violations = options.violations ?? [];
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
