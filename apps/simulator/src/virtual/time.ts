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
  /** Runs the events until this time. */
  runUntil(atMs: number): void;
}

export function createVirtualTime(): VirtualTime {
  const heap: Scheduled[] = [];
  let nowMs = 0;
  let orders = 0;

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
      push(heap, item);
      return () => {
        item.isCancelled = true;
      };
    },
    runUntil(atMs) {
      while (heap[0] !== undefined && heap[0].atMs <= atMs) {
        const item = pop(heap);
        nowMs = Math.max(nowMs, item.atMs);
        if (!item.isCancelled) item.action();
      }
      nowMs = Math.max(nowMs, atMs);
    },
  };
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Scheduled[], item: Scheduled): void {
  let index = heap.push(item) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Scheduled;
    if (!isBefore(item, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = item;
}

function pop(heap: Scheduled[]): Scheduled {
  const top = heap[0] as Scheduled;
  const last = heap.pop() as Scheduled;
  if (heap.length === 0) return top;
  let index = 0;
  for (;;) {
    const left = heap[index * 2 + 1];
    const right = heap[index * 2 + 2];
    if (left === undefined) break;
    const isRight = right !== undefined && isBefore(right, left);
    const child = isRight ? right : left;
    if (!isBefore(child, last)) break;
    heap[index] = child;
    index = index * 2 + (isRight ? 2 : 1);
  }
  heap[index] = last;
  return top;
}
