import type { Kysely, RawBuilder } from 'kysely';
import type { Statement } from './statement.ts';
import type { ThreadStatistics } from './thread-client.ts';
import type { Durability } from './thread-protocol.ts';

/** What an engine can do. Ask these, never which engine it is. */
export interface StoreCapabilities {
  /** Several processes may have the store open at once (leader election needed). */
  readonly sharedByProcesses: boolean;
  /** `backupTo` works. */
  readonly fileBackup: boolean;
}

export interface CommitOptions {
  readonly durability: Durability;
}

export interface TransactionOptions {
  /** Default `full`. */
  readonly durability?: Durability;
  /** The transaction is undone after this time, because nothing else gets on meanwhile. Default 5,000. */
  readonly timeoutMs?: number;
}

/** Small facts about the store itself, kept in a table of its own. Keys that begin with `store.` are reserved. */
export interface StoreMeta {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, options?: Partial<CommitOptions>): Promise<void>;
  /** The statement that `set` would commit, for a batch. */
  assignment(key: string, value: string): Statement;
}

/**
 * The one door to a database. Portable schema: text, integer, bigint (safe integers), real; JSON as text.
 *
 * Errors are of class `OakestraError`: `exhausted` (disk full, overload), `unavailable` (disk failed, store closed),
 * `conflict` (constraint, expectation, in use elsewhere), `timeout` (undone because it took too long). After an `unavailable` commit it is not known whether
 * the batch was stored.
 */
export interface Store<Schema> {
  /** For reads, and for building the queries that `commit` takes. A change executed through it is refused. */
  readonly db: Kysely<Schema>;
  readonly capabilities: StoreCapabilities;
  /**
   * 32 hexadecimal digits: new when the store was created, restored from a backup, or copied, as far as that can
   * be noticed when it is opened (on PostgreSQL: see `postgres-identity.ts`).
   */
  readonly incarnation: string;
  readonly meta: StoreMeta;
  /** The clock of the database in a query: Unix milliseconds, the same for everybody who shares the store. */
  readonly nowMs: RawBuilder<number>;
  /** Counters since the store was opened. */
  readonly statistics: ThreadStatistics;
  /**
   * Applies all statements or none, and resolves when that is as sure as `durability` says. Batches become
   * visible in the order of the calls; those in flight at the same time share a sync, and one that fails does
   * so alone. A read that starts after the call sees the batch.
   */
  commit(statements: readonly Statement[], options: CommitOptions): Promise<void>;
  /**
   * Read, decide, write. Other requests wait meanwhile: keep it short, and use only `tx` inside. Where a
   * condition on one row is enough, `commit` with `expectChanges` is faster. Where several processes share the
   * store, `work` runs again when another one was in the way: it must change nothing but what `tx` changes.
   */
  transaction<T>(work: (tx: Kysely<Schema>) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** Replaces the incarnation, after a restore that the store could not notice by itself. */
  mintIncarnation(): Promise<string>;
  /**
   * Writes a consistent copy to `path`, which must not exist (folder included: it must). A store that is opened
   * from the copy takes a new incarnation.
   */
  backupTo(path: string): Promise<void>;
  /** Writes what is queued and lets go of the file. Later calls return the same promise. */
  close(): Promise<void>;
}
