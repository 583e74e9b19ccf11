import type { Store } from './store.ts';

/**
 * The store as one room of a daemon sees it: with the tables of its own schema only. Kysely's types do not know that
 * a database with more tables serves as well, so it is said here, once, and checked by the constraint.
 */
export function storePart<Part, Whole extends Part>(store: Store<Whole>): Store<Part> {
  return store as unknown as Store<Part>;
}
