/** What may travel as a parameter or in a row. Chosen so that PostgreSQL knows the same values. */
export type SqlValue = string | number | bigint | null | Uint8Array;

/**
 * How sure an acknowledgement is. `full`: on the disk, survives a power cut. `normal`: survives the end of the
 * process, but the last moments before a power cut may be lost.
 */
export type Durability = 'full' | 'normal';

/** A compiled statement as it travels to the thread. */
export interface WireStatement {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
  /** The batch fails when the statement changes another number of rows. */
  readonly expectedChanges?: number;
}

export type Row = Record<string, unknown>;

export interface StatementResult {
  readonly rows: readonly Row[];
  readonly changes: number;
  readonly lastInsertId: number | bigint;
}

/** `deferred` checks references once at the end of the transaction, which rebuilding a table needs. */
export type References = 'enforced' | 'deferred';

/** A batch of statements that is applied whole or not at all. */
export interface Batch {
  readonly statements: readonly WireStatement[];
  readonly durability: Durability;
}

export type ThreadRequestBody =
  | { readonly kind: 'read'; readonly statement: WireStatement }
  | ({ readonly kind: 'commit' } & Batch)
  /** A statement on its own, outside of groups; only while the store is being opened. */
  | { readonly kind: 'execute'; readonly statement: WireStatement; readonly session?: number }
  | {
      readonly kind: 'begin';
      readonly session: number;
      readonly durability: Durability;
      readonly references: References;
    }
  | { readonly kind: 'end'; readonly session: number; readonly outcome: 'commit' | 'rollback' }
  | { readonly kind: 'backup'; readonly path: string; readonly mark: string }
  | { readonly kind: 'close' };

export type ThreadRequest = ThreadRequestBody & { readonly id: number };

/** What the store finds wrong by itself. */
export type FaultReason = 'expectation' | 'session' | 'file-exists' | 'read-too-large' | 'internal';

/** Why a request failed, as plain facts: classes do not survive the way between threads. */
export interface Failure {
  readonly reason: 'sqlite' | 'system' | FaultReason;
  readonly message: string;
  /** SQLite's extended result code. */
  readonly sqliteCode?: number;
  /** The name of the operating system's error, such as `ENOSPC`. */
  readonly systemCode?: string;
  readonly sql?: string;
}

export interface ThreadReply {
  readonly id: number;
  readonly result?: StatementResult;
  readonly failure?: Failure;
}

/** What one group commit did. */
export interface GroupReport {
  readonly batches: number;
  readonly syncs: number;
  readonly durationMs: number;
}

/** One message of the thread: the replies of a group leave together. */
export interface ThreadMessage {
  readonly replies: readonly ThreadReply[];
  readonly group?: GroupReport;
  /** The thread ends after this message and has not begun with any request it did not answer. */
  readonly isLeaving?: true;
}

export interface ThreadSettings {
  readonly path: string;
  /** How long opening waits for another process to let go of the file. */
  readonly busyTimeoutMs: number;
  /** Fault injection: every sync takes this much longer. 0: none. */
  readonly syncDelayMs: number;
}
