import { isGlobal, type ServiceDocument } from '@oakestra/contracts';

/** What may happen to an instance while its holder cannot be reached. */
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
  /** How long it may take to end when it is asked to. */
  readonly stopGraceMs: number;
}

/** Time between the stop signal and the kill, when the service does not say. */
const DEFAULT_STOP_GRACE_MS = 10_000;
const STOP_AFTER = /^stop-after\s+(\d+)$/;
const REPLACE: OnDisconnect = { kind: 'replace' };
const WAIT: OnDisconnect = { kind: 'wait' };

/** Reads the policy of a service; what was not validated on intake falls back to the default, `replace`. */
export function policyOf(document: ServiceDocument): PlacementPolicy {
  const isOneShot = document.one_shot === true;
  return {
    // One of each worker: nobody else can take its place.
    onDisconnect: isGlobal(document) ? WAIT : onDisconnectOf(document.on_disconnect),
    isOneShot,
    isAtMostOnce: isOneShot && document.one_shot_delivery === 'at-most-once',
    stopGraceMs: stopGraceOf(document.stop_grace_seconds),
  };
}

function onDisconnectOf(value: unknown): OnDisconnect {
  if (value === 'wait') return WAIT;
  const match = typeof value === 'string' ? STOP_AFTER.exec(value) : null;
  return match === null ? REPLACE : { kind: 'stop-after', afterMs: Number(match[1]) * 1000 };
}

function stopGraceOf(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value * 1000 : DEFAULT_STOP_GRACE_MS;
}
