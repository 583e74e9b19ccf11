import {
  bucketChecksums,
  bucketOf,
  type Fingerprint,
  fingerprintOf,
  suitableBucketCount,
  textHash,
} from './checksum.ts';
import type { Changes, Digest, Page, Row, Source, SyncRequest } from './messages.ts';

const PAGE_ROWS = 50;

interface PublishedRow extends Fingerprint {
  readonly sequence: number;
  readonly hash: string;
  readonly value: unknown;
}

/** The table that one tier publishes to the tier above. Pure: no clock, no sockets. */
export interface Publisher<Value> {
  /** Sets or replaces a row; a value equal to the present one changes nothing. Says whether it changed. */
  set(key: string, value: Value): boolean;
  delete(key: string): boolean;
  get(key: string): Value | undefined;
  /** Are there changes that `takeChanges` has not handed out? */
  hasPending(): boolean;
  takeChanges(): Changes | undefined;
  /** The start of a session: what was pending is covered by this digest. */
  restart(): Digest;
  digest(): Digest;
  answer(request: SyncRequest): Digest | Page;
}

export function createPublisher<Value>(source: Source): Publisher<Value> {
  const rows = new Map<string, PublishedRow>();
  const pending = new Set<string>();
  let sequence = 0;
  let sentSequence = 0;

  const rowOf = (key: string): Row => {
    const row = rows.get(key);
    return row === undefined
      ? { key, sequence, hash: '', value: null }
      : { key, sequence: row.sequence, hash: row.hash, value: row.value };
  };

  const digest = (): Digest => ({
    type: 'digest',
    source,
    sequence,
    buckets: bucketChecksums(rows.values(), suitableBucketCount(rows.size)),
  });

  const page = (request: Extract<SyncRequest, { want: 'bucket' }>): Page => {
    const keys: string[] = [];
    for (const [key, row] of rows) {
      if (bucketOf(row, request.bucketCount) === request.bucket && key > request.after) keys.push(key);
    }
    const chosen = keys.sort().slice(0, PAGE_ROWS);
    return {
      type: 'page',
      source,
      sequence,
      bucketCount: request.bucketCount,
      bucket: request.bucket,
      after: request.after,
      until: keys.length > chosen.length ? (chosen.at(-1) ?? null) : null,
      rows: chosen.map(rowOf),
    };
  };

  return {
    set(key, value) {
      const hash = textHash(JSON.stringify(value)).toString(36);
      const present = rows.get(key);
      if (present?.hash === hash) return false;
      sequence += 1;
      rows.set(key, { sequence, hash, value, ...fingerprintOf(key, hash, present?.keyHash) });
      pending.add(key);
      return true;
    },
    delete(key) {
      if (!rows.delete(key)) return false;
      sequence += 1;
      pending.add(key);
      return true;
    },
    get: (key) => rows.get(key)?.value as Value | undefined,
    hasPending: () => pending.size > 0,
    takeChanges() {
      if (pending.size === 0) return undefined;
      const changes: Changes = {
        type: 'changes',
        source,
        from: sentSequence,
        to: sequence,
        rows: Array.from(pending, rowOf),
      };
      pending.clear();
      sentSequence = sequence;
      return changes;
    },
    restart() {
      pending.clear();
      sentSequence = sequence;
      return digest();
    },
    digest,
    answer: (request) => (request.want === 'digest' ? digest() : page(request)),
  };
}
