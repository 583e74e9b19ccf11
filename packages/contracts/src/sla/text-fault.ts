export type ReadText =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** Why a text could not be read, for its author. Never leaves this folder. */
export class TextFault extends Error {
  override readonly name = 'TextFault';

  /** `position` counts lines and columns from 1. */
  constructor(reason: string, position?: { readonly line: number; readonly column: number }) {
    super(position === undefined ? reason : `line ${position.line}, column ${position.column}: ${reason}`);
  }
}

/** Keys that would reach into the prototype of objects. */
export function requireSafeKey(key: string, position?: { line: number; column: number }): void {
  if (key === '__proto__') throw new TextFault('a field must not be named "__proto__"', position);
}
