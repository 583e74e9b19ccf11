/**
 * What happens to an instance whose worker is cut off: a replacement is started elsewhere (`replace`, default);
 * nothing is started (`wait`); the worker stops the instance by itself after that many seconds, and only then a
 * replacement starts (`stop-after`: at most one copy runs).
 */
export type DisconnectPolicy =
  | { readonly kind: 'replace' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'stop-after'; readonly seconds: number };

/** Reads `on_disconnect` of a service; absent means `replace`. `undefined` for anything that is no policy. */
export function parseDisconnectPolicy(text: unknown): DisconnectPolicy | undefined {
  if (text === undefined || text === 'replace') return { kind: 'replace' };
  if (text === 'wait') return { kind: 'wait' };
  const match = typeof text === 'string' ? /^stop-after ([1-9]\d{0,6})$/.exec(text) : null;
  return match === null ? undefined : { kind: 'stop-after', seconds: Number(match[1]) };
}
