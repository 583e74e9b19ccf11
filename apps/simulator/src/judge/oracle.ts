import { type InstanceKey, parseInstanceKey } from '@oakestra/contracts';

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
  /**
   * A user changed this service: the root replaces its instances by others on the user's behalf, so what is true of
   * each of them is up to the root.
   */
  serviceChanged(serviceId: string): void;
  wasChanged(serviceId: string): boolean;
  /** What the root made of a changed service. */
  replaced(key: InstanceKey, record: { readonly wanted: 'running' | 'removed' } | null): void;
  /** A store was lost or put back: what nobody can know any more is unsure. */
  doubt(isCertain: (key: InstanceKey, intent: Intent) => boolean): void;
}

export function createOracle(): Oracle {
  const intents = new Map<InstanceKey, Intent>();
  const removals = new Set<InstanceKey>();
  const changed = new Set<string>();
  const isChanged = (key: InstanceKey): boolean => changed.has(parseInstanceKey(key).serviceId);
  return {
    intents,
    set: (key, intent) => void intents.set(key, intent === 'wanted' && isChanged(key) ? 'unsure' : intent),
    serviceChanged(serviceId) {
      changed.add(serviceId);
      for (const [key, intent] of intents) {
        if (intent === 'wanted' && isChanged(key)) intents.set(key, 'unsure');
      }
    },
    wasChanged: (serviceId) => changed.has(serviceId),
    replaced(key, record) {
      if (!isChanged(key)) return;
      if (!intents.has(key)) intents.set(key, 'unsure');
      if (record?.wanted === 'removed') removals.add(key);
    },
    wasRemovalAsked: (key) => removals.has(key),
    removalAsked: (key) => void removals.add(key),
    doubt(isCertain) {
      for (const [key, intent] of intents) if (!isCertain(key, intent)) intents.set(key, 'unsure');
    },
  };
}
