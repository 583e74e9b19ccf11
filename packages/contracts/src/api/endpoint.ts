import type * as z from 'zod';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One operation of the clean API (`/api/v2`): everything about it that both sides and the documentation need. */
export interface Endpoint {
  readonly method: Method;
  /** Below `/api/v2`, parameters in braces. */
  readonly path: string;
  /** Users see what they may see; `admin` is for administrators alone. */
  readonly access: 'public' | 'user' | 'admin';
  readonly summary: string;
  readonly description?: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Absent: there is nothing to answer (204). */
  readonly reply?: z.ZodType;
  /** Default 200, or 204 without a reply. */
  readonly status?: 200 | 201 | 202;
  /** The reply is a stream of server-sent events, each of this shape. */
  readonly isStream?: true;
  /** The body is an SLA, as JSON or YAML. */
  readonly takesSla?: true;
  /** The body holds what must not be stored in any readable form. */
  readonly isSensitive?: true;
  /** The reply holds a secret that is shown once: a repeated request is told so instead. */
  readonly hasSecretReply?: true;
}

export const statusOf = (endpoint: Endpoint): number =>
  endpoint.status ?? (endpoint.reply === undefined ? 204 : 200);
