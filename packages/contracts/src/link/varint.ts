/** Unsigned numbers in base 128, the low part first, at most 32 bits. */
const MAX_BYTES = 5;
export const MAX_UINT32 = 0xffff_ffff;

/** Number of bytes that `value` takes. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Writes `value` (an integer from 0 to 2^32-1) at `offset` and returns the offset behind it. */
export function writeVarint(target: Uint8Array, value: number, offset: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[at++] = rest;
  return at;
}

/** A number read and the offset behind it. */
export interface ReadVarint {
  readonly value: number;
  readonly next: number;
}

/**
 * Reads a number at `offset`: `undefined` when the bytes end within it, `'invalid'` when it is longer than 32 bits or
 * not in its shortest form.
 */
export function readVarint(source: Uint8Array, offset: number): ReadVarint | 'invalid' | undefined {
  let value = 0;
  let factor = 1;
  for (let count = 0; count < MAX_BYTES; count++) {
    const byte = source[offset + count];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) {
      const isPadded = count > 0 && byte === 0;
      return isPadded || value > MAX_UINT32 ? 'invalid' : { value, next: offset + count + 1 };
    }
    factor *= 0x80;
  }
  return 'invalid';
}
