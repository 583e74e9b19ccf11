import type { Statement } from './statement.ts';
import type { Store } from './store.ts';

/**
 * The life of a tier's knowledge, kept beside the data: the incarnation under which it speaks, and the highest
 * number that it ever gave to a placement.
 */
export interface TierLife {
  readonly incarnation: string;
  /** 0 in a new store. */
  readonly counter: number;
  /** The first number of this life: smaller ones may be those of a life that is lost. 0: none was given yet. */
  readonly floor: number;
}

const KEY = {
  counter: 'ownership.counter',
  incarnation: 'ownership.incarnation',
  floor: 'ownership.floor',
  /** The store's own incarnation when these were written: another one means that the store is a copy. */
  store: 'ownership.store-incarnation',
  probe: 'ownership.recovered-at',
} as const;

/** Reads it, and notices that the store is a copy of an earlier state, until the tier has written what follows from that. */
export async function readTierLife(
  store: Pick<Store<never>, 'meta' | 'incarnation'>,
): Promise<TierLife & { readonly wasRestored: boolean }> {
  const { meta, incarnation } = store;
  const known = await meta.get(KEY.store);
  return {
    incarnation: (await meta.get(KEY.incarnation)) ?? incarnation,
    counter: Number((await meta.get(KEY.counter)) ?? 0),
    floor: Number((await meta.get(KEY.floor)) ?? 0),
    wasRestored: known !== undefined && known !== incarnation,
  };
}

/** For the batch of the change that raised the number. */
export function tierLifeAssignments(
  store: Pick<Store<never>, 'meta' | 'incarnation'>,
  { incarnation, counter, floor }: TierLife,
): Statement[] {
  const { meta } = store;
  return [
    meta.assignment(KEY.counter, String(counter)),
    meta.assignment(KEY.floor, String(floor)),
    meta.assignment(KEY.incarnation, incarnation),
    meta.assignment(KEY.store, store.incarnation),
  ];
}

/** Resolves when the store takes writes; rejects with what keeps it from that. */
export async function probeStore({ meta }: Pick<Store<never>, 'meta'>, nowMs: number): Promise<void> {
  await meta.set(KEY.probe, String(nowMs));
}
