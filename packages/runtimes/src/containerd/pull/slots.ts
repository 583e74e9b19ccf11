/** Lets a few run at a time; the others wait their turn, in order. */
export interface Slots {
  /** Rejects with the reason of `signal` when that aborts before the turn has come. */
  run<T>(action: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createSlots(count: number): Slots {
  const waiting = new Set<() => void>();
  let free = count;

  const acquire = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (free > 0) {
      free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => {
        waiting.delete(proceed);
        reject(signal.reason);
      };
      const proceed = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      waiting.add(proceed);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  };

  return {
    async run(action, signal) {
      await acquire(signal);
      try {
        return await action();
      } finally {
        // The slot goes to the next one directly, so that nobody can slip in between.
        const [next] = waiting;
        if (next === undefined) free++;
        else {
          waiting.delete(next);
          next();
        }
      }
    },
  };
}
