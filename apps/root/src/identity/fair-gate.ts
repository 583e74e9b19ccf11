import { OakestraError } from '@oakestra/contracts';

/**
 * Lets a few pieces of work run at a time. Those that wait take turns by where they come from, and when the
 * queue is full, whoever has most in it gives way: a flood from one place delays that place.
 */
export interface FairGate {
  /** Rejects `login-busy` (exhausted) when too much waits already. */
  run<T>(origin: string, work: () => Promise<T>): Promise<T>;
}

interface Waiter {
  enter(): void;
  giveWay(): void;
}

export function createFairGate(options: {
  readonly concurrent: number;
  readonly longestQueue: number;
}): FairGate {
  const { concurrent, longestQueue } = options;
  /** In the order of the turns; no queue is empty. */
  const queues = new Map<string, Waiter[]>();
  let running = 0;
  let waiting = 0;

  return {
    async run(origin, work) {
      if (running >= concurrent) await turnOf(origin);
      else running += 1;
      try {
        return await work();
      } finally {
        // Whoever ends hands its place over, so `running` stays as it is.
        const next = takeNext();
        if (next === undefined) running -= 1;
        else next.enter();
      }
    },
  };

  function turnOf(origin: string): Promise<void> {
    if (waiting >= longestQueue) makeRoomFor(origin);
    return new Promise((resolve, reject) => {
      waiting += 1;
      const queue = queues.get(origin) ?? [];
      queue.push({ enter: resolve, giveWay: () => reject(busy()) });
      queues.set(origin, queue);
    });
  }

  function makeRoomFor(origin: string): void {
    const own = queues.get(origin)?.length ?? 0;
    let longest: Waiter[] = [];
    for (const queue of queues.values()) if (queue.length > longest.length) longest = queue;
    // Two or more are left, so that the queue stays in the map.
    if (longest.length <= own + 1) throw busy();
    waiting -= 1;
    longest.pop()?.giveWay();
  }

  function takeNext(): Waiter | undefined {
    const first = queues.entries().next();
    if (first.done === true) return undefined;
    const [origin, queue] = first.value;
    queues.delete(origin);
    const next = queue.shift();
    if (queue.length > 0) queues.set(origin, queue);
    waiting -= 1;
    return next;
  }
}

function busy(): OakestraError {
  return new OakestraError(
    'exhausted',
    'login-busy',
    'Too many logins at the same time. Try again in a few seconds.',
  );
}
