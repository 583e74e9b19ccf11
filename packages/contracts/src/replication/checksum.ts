/**
 * A 52-bit hash of a text. Not cryptographic: it finds accidents, not attacks, and both ends are authenticated. Two
 * multiplicative lanes over UTF-16 code units, mixed with the murmur3 finaliser.
 */
export function textHash(text: string): number {
  let low = 0x9e3779b9 | 0;
  let high = 0x85ebca6b | 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ (unit + index), 0x5bd1e995);
  }
  low = finalise(low ^ (high >>> 13));
  high = finalise(high ^ (low >>> 7));
  return (high >>> 12) * 0x100000000 + (low >>> 0);
}

function finalise(lane: number): number {
  let mixed = lane ^ (lane >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** What a row adds to the checksums; computed once, so that a digest of many rows is a walk over numbers. */
export interface Fingerprint {
  readonly keyHash: number;
  /** Of key and value together. */
  readonly rowHash: number;
}

export function fingerprintOf(key: string, hash: string, keyHash = textHash(key)): Fingerprint {
  return { keyHash, rowHash: textHash(`${key}\n${hash}`) };
}

export function bucketOf({ keyHash }: Pick<Fingerprint, 'keyHash'>, bucketCount: number): number {
  return keyHash % bucketCount;
}

/** Sums of two 52-bit numbers stay exact in a double. */
const MODULUS = 2 ** 52;

/** Checksums of all buckets; a sum does not depend on the order of the rows. */
export function bucketChecksums(rows: Iterable<Fingerprint>, bucketCount: number): string[] {
  const sums = new Array<number>(bucketCount).fill(0);
  for (const row of rows) {
    const bucket = bucketOf(row, bucketCount);
    sums[bucket] = ((sums[bucket] ?? 0) + row.rowHash) % MODULUS;
  }
  return sums.map((sum) => sum.toString(36));
}

/** About 16 rows a bucket, 1 to 1024 buckets, a power of two. */
export function suitableBucketCount(rowCount: number): number {
  let count = 1;
  while (count < 1024 && count * 16 < rowCount) count *= 2;
  return count;
}
