/** Which pages of other origins may call with a browser; `any` is what old dashboards need (root-api 2.4). */
export type CorsPolicy = 'any' | readonly string[];

/** No browser sends a token by itself, so what counts is the token; still, only known pages are let in. */
export function corsHeaders(policy: CorsPolicy, origin: string | undefined): Record<string, string> {
  const isAllowed = policy === 'any' || (origin !== undefined && policy.includes(origin));
  return {
    vary: 'Origin',
    ...(isAllowed
      ? {
          'access-control-allow-origin': origin ?? '*',
          'access-control-expose-headers': 'ETag, Link, Retry-After',
        }
      : {}),
  };
}

export function preflightHeaders(wanted: string | undefined): Record<string, string> {
  return {
    'access-control-allow-methods': 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT',
    'access-control-allow-headers': wanted ?? 'Authorization, Content-Type',
    'access-control-max-age': '600',
  };
}
