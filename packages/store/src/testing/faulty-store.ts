import { OakestraError } from '@oakestra/contracts';
import type { Store } from '../store.ts';

/** A store whose disk can fill up, for tests. */
export interface FaultyStore<Schema> {
  readonly store: Store<Schema>;
  /** From now on every write is refused, or no more. */
  setFull(isFull: boolean): void;
  /** From now on what is written reaches the disk only when this is switched off again. */
  setSlow(isSlow: boolean): void;
}

export function createFaultyStore<Schema>(inner: Store<Schema>): FaultyStore<Schema> {
  let isFull = false;
  let held: (() => void)[] | undefined;

  const commit: Store<Schema>['commit'] = async (statements, options) => {
    const waiting = held;
    if (waiting !== undefined) await new Promise<void>((resolve) => void waiting.push(resolve));
    if (isFull) throw new OakestraError('exhausted', 'store-disk-full', 'No space left for the store');
    await inner.commit(statements, options);
  };
  const { meta } = inner;
  return {
    store: {
      ...inner,
      get incarnation() {
        return inner.incarnation;
      },
      get statistics() {
        return inner.statistics;
      },
      commit,
      meta: {
        ...meta,
        set: (key, value, options) =>
          commit([meta.assignment(key, value)], { durability: 'full', ...options }),
      },
    },
    setFull(value) {
      isFull = value;
    },
    setSlow(isSlow) {
      const released = held;
      held = isSlow ? [] : undefined;
      for (const release of released ?? []) release();
    },
  };
}
