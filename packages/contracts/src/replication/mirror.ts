import { bucketChecksums, bucketOf, type Fingerprint, fingerprintOf } from './checksum.ts';
import type { Changes, Digest, Page, Row, Source, SyncRequest } from './messages.ts';

interface MirrorRow<Value> extends Fingerprint {
  readonly sequence: number;
  /**
   * null: deleted; kept until a digest agrees, so that an older change cannot bring it back.
   * undefined: a row that we cannot read; kept because it counts in the checksums.
   */
  readonly value: Value | null | undefined;
}

export interface Received {
  /** Keys whose value changed, appeared or vanished. */
  readonly changed: readonly string[];
  readonly requests: readonly SyncRequest[];
  /** The mirror agrees with its source as of now, and did not before. */
  readonly becameSynced: boolean;
}

/** The receiver's copy of a published table. Tolerates loss, duplicates and reordering within a session. */
export interface Mirror<Value> {
  readonly isSynced: boolean;
  /**
   * A session with this source begins: nothing may be concluded from any row until it was received again or a digest
   * agrees. What an earlier session still has under way is ignored.
   */
  beginSession(source: Source): void;
  get(key: string): Value | undefined;
  entries(): IterableIterator<[string, Value]>;
  receive(message: Changes | Digest | Page): Received;
}

const NOTHING: Received = { changed: [], requests: [], becameSynced: false };

export function createMirror<Value>(parse: (value: unknown) => Value | undefined): Mirror<Value> {
  const rows = new Map<string, MirrorRow<Value>>();
  let source: Source | undefined;
  let lastSequence = 0;
  /** As of this sequence number the mirror was proven equal: what is older and absent was deleted. */
  let verifiedSequence = 0;
  let isSynced = false;
  /** Buckets that were asked for and have not come completely; the digest is asked for after the last one. */
  const awaited = new Set<string>();

  /** Says whether the value changed. */
  const apply = (row: Row): boolean => {
    const present = rows.get(row.key);
    const knownSequence = present?.sequence ?? verifiedSequence;
    if (row.sequence <= knownSequence) return false;
    const value = row.value === null ? null : parse(row.value);
    const { key, sequence } = row;
    rows.set(key, { sequence, value, ...fingerprintOf(key, row.hash, present?.keyHash) });
    return value !== null || (present !== undefined && present.value !== null);
  };

  const applyAll = (list: readonly Row[]): string[] => list.filter(apply).map((row) => row.key);

  const receiveChanges = (message: Changes): Received => {
    const changed = applyAll(message.rows);
    const isGap = message.from > lastSequence;
    lastSequence = Math.max(lastSequence, message.to);
    if (!isGap) return { changed, requests: [], becameSynced: false };
    isSynced = false;
    return { changed, requests: [{ type: 'sync', want: 'digest' }], becameSynced: false };
  };

  const differingBuckets = (theirs: readonly string[]): SyncRequest[] => {
    const mine = bucketChecksums(present(), theirs.length);
    const requests: SyncRequest[] = [];
    for (const [bucket, checksum] of theirs.entries()) {
      if (mine[bucket] === checksum) continue;
      requests.push({ type: 'sync', want: 'bucket', bucketCount: theirs.length, bucket, after: '' });
      awaited.add(`${theirs.length} ${bucket}`);
    }
    return requests;
  };

  function* present(): Generator<Fingerprint> {
    for (const row of rows.values()) if (row.value !== null) yield row;
  }

  const receiveDigest = (message: Digest): Received => {
    if (message.sequence < lastSequence) return NOTHING;
    awaited.clear();
    const requests = differingBuckets(message.buckets);
    if (requests.length > 0) {
      isSynced = false;
      return { changed: [], requests, becameSynced: false };
    }
    lastSequence = message.sequence;
    verifiedSequence = message.sequence;
    for (const [key, row] of rows) if (row.value === null) rows.delete(key);
    const becameSynced = !isSynced;
    isSynced = true;
    return { changed: [], requests: [], becameSynced };
  };

  /** Rows that the page should list and does not were deleted. */
  const applyAbsences = (message: Page): string[] => {
    const listed = new Set(message.rows.map((row) => row.key));
    const isCovered = (key: string): boolean =>
      key > message.after && (message.until === null || key <= message.until) && !listed.has(key);
    const changed: string[] = [];
    for (const [key, row] of rows) {
      if (row.value === null || row.sequence > message.sequence) continue;
      if (bucketOf(row, message.bucketCount) !== message.bucket || !isCovered(key)) continue;
      rows.set(key, { ...row, sequence: message.sequence, value: null });
      changed.push(key);
    }
    return changed;
  };

  const receivePage = (message: Page): Received => {
    const changed = [...applyAll(message.rows), ...applyAbsences(message)];
    const { bucketCount, bucket } = message;
    if (message.until !== null) {
      const next: SyncRequest = { type: 'sync', want: 'bucket', bucketCount, bucket, after: message.until };
      return { changed, requests: [next], becameSynced: false };
    }
    const isLast = awaited.delete(`${bucketCount} ${bucket}`) && awaited.size === 0;
    return { changed, requests: isLast ? [{ type: 'sync', want: 'digest' }] : [], becameSynced: false };
  };

  return {
    get isSynced() {
      return isSynced;
    },
    beginSession(next) {
      isSynced = false;
      awaited.clear();
      source = next;
      // Another life of the source counts from the start, and so may a machine that was put back to an earlier
      // state; the rows are kept, because most of them will turn out to be right.
      for (const [key, row] of rows) {
        if (row.value === null) rows.delete(key);
        else rows.set(key, { ...row, sequence: 0 });
      }
      lastSequence = 0;
      verifiedSequence = 0;
    },
    get: (key) => rows.get(key)?.value ?? undefined,
    *entries() {
      for (const [key, row] of rows) if (row.value != null) yield [key, row.value];
    },
    receive(message) {
      if (message.source.incarnation !== source?.incarnation || message.source.boot !== source.boot)
        return NOTHING;
      switch (message.type) {
        case 'changes':
          return receiveChanges(message);
        case 'digest':
          return receiveDigest(message);
        case 'page':
          return receivePage(message);
      }
    },
  };
}
