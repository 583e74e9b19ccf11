import type { Clock } from '@oakestra/daemon';

/** Remembers what was read a moment ago, so that a burst of requests reads once. */
export interface ShortCache<T> {
  get(key: string, load: () => Promise<T>): Promise<T>;
  /** After a change: nothing that was read before it, or is being read now, is used again. */
  clear(): void;
}

/** `keptMs` is how long a change that another process made may stay unnoticed. */
export function createShortCache<T>(options: {
  readonly clock: Clock;
  readonly keptMs: number;
  readonly mostKept: number;
}): ShortCache<T> {
  const { clock, keptMs, mostKept } = options;
  let entries = new Map<string, { readonly value: Promise<T>; readonly untilMs: number }>();
  return {
    get(key, load) {
      const known = entries.get(key);
      if (known !== undefined && known.untilMs > clock.monotonicMs()) return known.value;
      const value = load();
      const generation = entries;
      generation.delete(key);
      generation.set(key, { value, untilMs: clock.monotonicMs() + keptMs });
      if (generation.size > mostKept) {
        const oldest = generation.keys().next();
        if (oldest.done !== true) generation.delete(oldest.value);
      }
      // A failure is nobody's answer but of those who wait for it.
      value.catch(() => generation.delete(key));
      return value;
    },
    clear() {
      entries = new Map();
    },
  };
}
