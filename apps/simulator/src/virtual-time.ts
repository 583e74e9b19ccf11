interface Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
  isCancelled: boolean;
}

/** Time that passes only when the next event is run. */
export interface VirtualTime {
  nowMs(): number;
  after(delayMs: number, action: () => void): () => void;
  /** Runs events until this time; calls `between` after each. */
  runUntil(atMs: number, between: () => void): void;
}

export function createVirtualTime(): VirtualTime {
  const heap: Scheduled[] = [];
  let nowMs = 0;
  let orders = 0;

  const isBefore = (a: Scheduled, b: Scheduled): boolean =>
    a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

  const push = (item: Scheduled): void => {
    let index = heap.push(item) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(item, heap[parent] as Scheduled)) break;
      heap[index] = heap[parent] as Scheduled;
      index = parent;
    }
    heap[index] = item;
  };

  const pop = (): Scheduled => {
    const top = heap[0] as Scheduled;
    const last = heap.pop() as Scheduled;
    if (heap.length > 0) {
      let index = 0;
      for (;;) {
        let child = index * 2 + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && isBefore(heap[child + 1] as Scheduled, heap[child] as Scheduled))
          child += 1;
        if (!isBefore(heap[child] as Scheduled, last)) break;
        heap[index] = heap[child] as Scheduled;
        index = child;
      }
      heap[index] = last;
    }
    return top;
  };

  return {
    nowMs: () => nowMs,
    after(delayMs, action) {
      const item: Scheduled = {
        atMs: nowMs + Math.max(0, delayMs),
        order: orders,
        action,
        isCancelled: false,
      };
      orders += 1;
      push(item);
      return () => {
        item.isCancelled = true;
      };
    },
    runUntil(atMs, between) {
      while (heap[0] !== undefined && heap[0].atMs <= atMs) {
        const item = pop();
        nowMs = Math.max(nowMs, item.atMs);
        if (item.isCancelled) continue;
        item.action();
        between();
      }
      nowMs = Math.max(nowMs, atMs);
    },
  };
}
