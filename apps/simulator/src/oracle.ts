import type { Epoch, InstanceKey } from '@oakestra/contracts';
import { compareEpochs } from '@oakestra/contracts';

/**
 * What the simulated users asked for, and what therefore must be true. `unsure`: the answer was lost in a crash or
 * with a store, so both outcomes are right.
 */
export type Intent = 'wanted' | 'unwanted' | 'unsure';

export interface Oracle {
  readonly intents: ReadonlyMap<InstanceKey, Intent>;
  set(key: InstanceKey, intent: Intent): void;
  /** An order to run `key` left for this worker under this epoch. */
  issued(key: InstanceKey, worker: string, epoch: Epoch): void;
  /** Does anyone else have a newer claim to `key` than this? */
  hasNewerOwner(key: InstanceKey, worker: string, epoch: Epoch): boolean;
}

export function createOracle(): Oracle {
  const intents = new Map<InstanceKey, Intent>();
  const claims = new Map<InstanceKey, { worker: string; epoch: Epoch }[]>();
  return {
    intents,
    set: (key, intent) => void intents.set(key, intent),
    issued(key, worker, epoch) {
      const list = claims.get(key) ?? [];
      list.push({ worker, epoch });
      claims.set(key, list);
    },
    hasNewerOwner: (key, worker, epoch) =>
      (claims.get(key) ?? []).some(
        (claim) => claim.worker !== worker && compareEpochs(claim.epoch, epoch) > 0,
      ),
  };
}
