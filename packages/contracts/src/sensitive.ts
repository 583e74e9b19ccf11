const MASK = '********';
const inspect = Symbol.for('nodejs.util.inspect.custom');

/**
 * A value that must not be seen: credentials, keys, secret environment. Every accidental way out (string
 * conversion, JSON, console, structured logs) yields a mask; only `reveal()` gives the value.
 */
export class Sensitive<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Call it where it leaves to its one legitimate receiver, nowhere else. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect](): string {
    return MASK;
  }
}
