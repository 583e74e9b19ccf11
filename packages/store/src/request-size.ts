import type { WireStatement } from './thread-protocol.ts';

const overheadBytes = 512;

/** Estimated memory that statements take while they wait. */
export function sizeOfStatements(statements: readonly WireStatement[]): number {
  let bytes = overheadBytes;
  for (const { sql, parameters } of statements) {
    bytes += sql.length + overheadBytes;
    for (const value of parameters) {
      bytes += typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.byteLength : 0;
    }
  }
  return bytes;
}
