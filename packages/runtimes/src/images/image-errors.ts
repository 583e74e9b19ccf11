import { type ErrorKind, OakestraError } from '@oakestra/contracts';

/**
 * What can go wrong with an image or its registry: the code, and how a caller can act on it. The messages are
 * made where the facts are known.
 */
const KINDS = {
  'image-reference-invalid': 'invalid',
  'image-not-found': 'not-found',
  'image-platform-missing': 'not-found',
  'image-unsupported': 'unsupported',
  'image-invalid': 'invalid',
  'registry-unreachable': 'unavailable',
  'registry-unauthorized': 'unauthenticated',
  'registry-tls-failed': 'unavailable',
  'registry-rate-limited': 'exhausted',
  'registry-refused': 'unavailable',
  'registry-settings-invalid': 'invalid',
  'image-pull-failed': 'internal',
  'disk-full': 'exhausted',
} as const satisfies Record<string, ErrorKind>;

export type ImageErrorCode = keyof typeof KINDS;

export interface ImageErrorOptions {
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
}

export function imageError(
  code: ImageErrorCode,
  message: string,
  options: ImageErrorOptions = {},
): OakestraError {
  return new OakestraError(KINDS[code], code, message, options);
}

/** Is this one of the errors above (with this code)? */
export function hasCode(thrown: unknown, ...codes: readonly ImageErrorCode[]): thrown is OakestraError {
  return thrown instanceof OakestraError && (codes as readonly string[]).includes(thrown.code);
}
