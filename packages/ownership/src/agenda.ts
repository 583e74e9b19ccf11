/** Deadlines of many things, one each; finding the earliest does not look at all of them. */
export interface Agenda<Key> {
  /** Replaces the deadline that `key` may have. */
  set(key: Key, atMs: number): void;
  /** Keeps the earlier one of this deadline and the one that `key` may have. */
  advance(key: Key, atMs: number): void;
  delete(key: Key): void;
  /** Takes out what is due, the earliest first. */
  takeDue(nowMs: number): readonly Key[];
  nextMs(): number | undefined;
}

interface Slot<Key> {
  readonly key: Key;
  readonly atMs: number;
  readonly order: number;
}

/** A binary heap; slots that were replaced stay in it until they come up, or until they are the most. */
export function createAgenda<Key>(): Agenda<Key> {
  const current = new Map<Key, Slot<Key>>();
  let heap: Slot<Key>[] = [];
  let orders = 0;

  const isStale = (slot: Slot<Key>): boolean => current.get(slot.key) !== slot;

  const set = (key: Key, atMs: number): void => {
    const slot = { key, atMs, order: orders };
    orders += 1;
    current.set(key, slot);
    if (heap.length > 64 && heap.length > current.size * 2) {
      heap = [...current.values()].sort(byTime);
      return;
    }
    push(heap, slot);
  };

  const earliest = (): Slot<Key> | undefined => {
    while (heap[0] !== undefined && isStale(heap[0])) pop(heap);
    return heap[0];
  };

  return {
    set,
    advance(key, atMs) {
      const present = current.get(key);
      if (present === undefined || atMs < present.atMs) set(key, atMs);
    },
    delete: (key) => void current.delete(key),
    takeDue(nowMs) {
      const due: Key[] = [];
      for (let slot = earliest(); slot !== undefined && slot.atMs <= nowMs; slot = earliest()) {
        pop(heap);
        current.delete(slot.key);
        due.push(slot.key);
      }
      return due;
    },
    nextMs: () => earliest()?.atMs,
  };
}

function byTime(a: Slot<unknown>, b: Slot<unknown>): number {
  return a.atMs - b.atMs || a.order - b.order;
}

function push<Key>(heap: Slot<Key>[], slot: Slot<Key>): void {
  let index = heap.push(slot) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Slot<Key>;
    if (byTime(above, slot) <= 0) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = slot;
}

function pop<Key>(heap: Slot<Key>[]): void {
  const last = heap.pop() as Slot<Key>;
  if (heap.length === 0) return;
  let index = 0;
  for (;;) {
    const left = heap[index * 2 + 1];
    const right = heap[index * 2 + 2];
    if (left === undefined) break;
    const isRight = right !== undefined && byTime(right, left) < 0;
    const child = isRight ? right : left;
    if (byTime(last, child) <= 0) break;
    heap[index] = child;
    index = index * 2 + (isRight ? 2 : 1);
  }
  heap[index] = last;
}
