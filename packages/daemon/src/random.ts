/** Randomness as a port, so that a simulation can replay a run from its seed. */
export interface Random {
  /** Cryptographically strong bytes (in a simulation: bytes derived from the seed). */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1), for jitter. */
  fraction(): number;
}

/** Lower-case hexadecimal text of `byteLength` random bytes. */
export function randomHex(random: Random, byteLength: number): string {
  return Array.from(random.bytes(byteLength), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A new identifier: 24 lower-case hexadecimal digits, as the compatible faces require (root-api 6.1). */
export function newId(random: Random): string {
  return randomHex(random, 12);
}
