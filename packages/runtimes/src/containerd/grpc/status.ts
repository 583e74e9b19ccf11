/** The codes of gRPC that somebody here tells apart (gRPC status codes, "Status codes and their use"). */
export const grpcCode = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** What a call ended with, other than success. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly code: number;
  /** The server's own words, or what kept the call from reaching it. */
  readonly details: string;

  constructor(code: number, details: string, cause?: unknown) {
    super(`${code}: ${details}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** The outcome in the headers that end a call; undefined when they do not have one. */
export function statusIn(
  headers: Readonly<Record<string, unknown>>,
): { readonly code: number; readonly details: string } | undefined {
  const code = headers['grpc-status'];
  if (code === undefined) return undefined;
  return { code: Number(code), details: decodeDetails(String(headers['grpc-message'] ?? '')) };
}

/** Texts travel percent-encoded; one that is not well-formed is shown as it came. */
function decodeDetails(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
