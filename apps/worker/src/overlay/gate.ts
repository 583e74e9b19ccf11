/** Lets many small changes go on side by side, and one large one alone. */
export interface Gate {
  /** Runs beside others of its kind, those with the same key one after the other. */
  shared<T>(key: string, action: () => Promise<T>): Promise<T>;
  /** Runs when nothing else does; everything that comes later waits. */
  alone<T>(action: () => Promise<T>): Promise<T>;
}

export function createGate(): Gate {
  /** The last of each key; a settled one costs nothing. */
  const tails = new Map<string, Promise<unknown>>();
  let barrier: Promise<unknown> = Promise.resolve();

  const after = async <T>(before: Promise<unknown>, action: () => Promise<T>): Promise<T> => {
    await before.catch(() => {});
    return action();
  };
  return {
    shared(key, action) {
      const before = tails.get(key);
      const mine = after(Promise.allSettled(before === undefined ? [barrier] : [barrier, before]), action);
      tails.set(key, mine);
      const forget = () => {
        if (tails.get(key) === mine) tails.delete(key);
      };
      mine.then(forget, forget);
      return mine;
    },
    alone(action) {
      const mine = after(Promise.allSettled([barrier, ...tails.values()]), action);
      barrier = mine.catch(() => {});
      return mine;
    },
  };
}
