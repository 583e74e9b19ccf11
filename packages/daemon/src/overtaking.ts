/**
 * Keeps messages about one thing in their order where some of them have to wait before they may pass: what was overtaken
 * by a later one does not pass any more. For messages that are repeated until they have an effect.
 */
export interface Overtaking {
  /** One about this key passes now. */
  passes(key: string): void;
  /** One about this key has to wait. The result says, once, whether it may pass in the end. */
  waits(key: string): () => boolean;
}

export function createOvertaking(): Overtaking {
  const waiting = new Map<string, symbol>();
  return {
    passes: (key) => void waiting.delete(key),
    waits(key) {
      const ticket = Symbol(key);
      waiting.set(key, ticket);
      return () => waiting.get(key) === ticket && waiting.delete(key);
    },
  };
}
