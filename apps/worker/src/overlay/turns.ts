/** Lets only so many actions run at a time; the others wait in their order. */
export type Turns = <T>(action: () => Promise<T>) => Promise<T>;

export function createTurns(atATime: number): Turns {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (action) => {
    if (running >= atATime) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await action();
    } finally {
      // Whoever waits takes over this place, so the count stays.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
