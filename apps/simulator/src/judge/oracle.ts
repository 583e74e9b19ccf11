import type { InstanceKey } from '@oakestra/contracts';

/**
 * What the simulated users asked for, and what therefore must be true. `unsure`: the answer was lost in a crash or
 * with a store, so both outcomes are right.
 */
export type Intent = 'wanted' | 'unwanted' | 'unsure';

export interface Oracle {
  readonly intents: ReadonlyMap<InstanceKey, Intent>;
  set(key: InstanceKey, intent: Intent): void;
  /** Did a user ever ask to remove it? */
  wasRemovalAsked(key: InstanceKey): boolean;
  removalAsked(key: InstanceKey): void;
  /** A store was lost or put back: what nobody can know any more is unsure. */
  doubt(isCertain: (key: InstanceKey, intent: Intent) => boolean): void;
}

export function createOracle(): Oracle {
  const intents = new Map<InstanceKey, Intent>();
  const removals = new Set<InstanceKey>();
  return {
    intents,
    set: (key, intent) => void intents.set(key, intent),
    wasRemovalAsked: (key) => removals.has(key),
    removalAsked: (key) => void removals.add(key),
    doubt(isCertain) {
      for (const [key, intent] of intents) if (!isCertain(key, intent)) intents.set(key, 'unsure');
    },
  };
}
