import { bucketChecksums, bucketOf } from './checksum.ts';
import type { Changes, Digest, Page, Row, Source, SyncRequest } from './messages.ts';

interface MirrorRow<Value> {
  readonly sequence: number;
  readonly hash: string;
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
   * A session with this source begins: nothing may be concluded from an absent row until a digest agrees. Another
   * life of the source starts from nothing; what an earlier life still has under way is ignored.
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

  const apply = (row: Row): boolean => {
    const present = rows.get(row.key);
    if (present === undefined ? row.sequence <= verifiedSequence : row.sequence <= present.sequence)
      return false;
    const value = row.value === null ? null : parse(row.value);
    if (value === null && present === undefined) return false;
    rows.set(row.key, { sequence: row.sequence, hash: row.hash, value });
    return true;
  };

  const receiveChanges = (message: Changes): Received => {
    const changed = message.rows.filter(apply).map((row) => row.key);
    const isGap = message.from > lastSequence;
    lastSequence = Math.max(lastSequence, message.to);
    if (!isGap) return { changed, requests: [], becameSynced: false };
    isSynced = false;
    return { changed, requests: [{ type: 'sync', want: 'digest' }], becameSynced: false };
  };

  const receiveDigest = (message: Digest): Received => {
    if (message.sequence < lastSequence) return NOTHING;
    const bucketCount = message.buckets.length;
    const mine = bucketChecksums(
      Array.from(rows)
        .filter(([, row]) => row.value !== null)
        .map(([key, row]) => [key, row.hash] as const),
      bucketCount,
    );
    const requests: SyncRequest[] = [];
    for (const [bucket, checksum] of message.buckets.entries()) {
      if (mine[bucket] !== checksum) {
        requests.push({ type: 'sync', want: 'bucket', bucketCount, bucket, after: '' });
      }
    }
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

  const receivePage = (message: Page): Received => {
    const changed = message.rows.filter(apply).map((row) => row.key);
    const listed = new Set(message.rows.map((row) => row.key));
    for (const [key, row] of rows) {
      const isCovered =
        key > message.after &&
        (message.until === null || key <= message.until) &&
        bucketOf(key, message.bucketCount) === message.bucket;
      if (isCovered && !listed.has(key) && row.value !== null && row.sequence <= message.sequence) {
        rows.set(key, { sequence: message.sequence, hash: '', value: null });
        changed.push(key);
      }
    }
    const requests: SyncRequest[] =
      message.until === null
        ? [{ type: 'sync', want: 'digest' }]
        : [
            {
              type: 'sync',
              want: 'bucket',
              bucketCount: message.bucketCount,
              bucket: message.bucket,
              after: message.until,
            },
          ];
    return { changed, requests, becameSynced: false };
  };

  return {
    get isSynced() {
      return isSynced;
    },
    beginSession(next) {
      isSynced = false;
      if (source?.incarnation === next.incarnation && source.boot === next.boot) return;
      rows.clear();
      source = next;
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
