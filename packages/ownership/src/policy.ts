import type { ServiceDocument } from '@oakestra/contracts';

/** What may happen to an instance while its holder cannot be reached (design 3, "Ownership", 4). */
export type OnDisconnect =
  | { readonly kind: 'replace' }
  | { readonly kind: 'wait' }
  /** The holder stops it itself after this time without contact. */
  | { readonly kind: 'stop-after'; readonly afterMs: number };

export interface PlacementPolicy {
  readonly onDisconnect: OnDisconnect;
  readonly isOneShot: boolean;
  /** A one-shot instance that must rather not run than run twice. */
  readonly isAtMostOnce: boolean;
}

const STOP_AFTER = /^stop-after\s+(\d+)$/;

/** Reads the policy of a service; what was not validated on intake falls back to the default, `replace`. */
export function policyOf(document: ServiceDocument): PlacementPolicy {
  const isOneShot = document.one_shot === true;
  return {
    onDisconnect: onDisconnectOf(document.on_disconnect),
    isOneShot,
    isAtMostOnce: isOneShot && document.one_shot_delivery === 'at-most-once',
  };
}

function onDisconnectOf(value: unknown): OnDisconnect {
  if (value === 'wait') return { kind: 'wait' };
  const match = typeof value === 'string' ? STOP_AFTER.exec(value) : null;
  return match === null ? { kind: 'replace' } : { kind: 'stop-after', afterMs: Number(match[1]) * 1000 };
}
