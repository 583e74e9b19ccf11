/**
 * The disk as a port, as far as durable state needs it. "Durable" means that it survives a crash of the machine.
 * Failures are {@link DiskError}s. File modes default to 0600.
 */
export interface Disk {
  /** Opens a file for appending and creates it if need be; its existence is then durable. One opener at a time. */
  openAppendFile(path: string, mode?: number): Promise<AppendFile>;
  /** The content; `undefined` when there is no such file. */
  readFile(path: string): Promise<Uint8Array | undefined>;
  /** Gives the file a new content, durably and all at once: after a crash it has the old or the new one. */
  replaceFile(path: string, content: Uint8Array, mode?: number): Promise<void>;
  /** Removes a file durably; a missing one is fine. */
  removeFile(path: string): Promise<void>;
  /** Names of the files in a directory, sorted; empty when the directory is missing. */
  listFiles(directory: string): Promise<string[]>;
  /** Creates a directory durably, with its parents, and sets its mode (default 0700), also when it exists. */
  ensureDirectory(path: string, mode?: number): Promise<void>;
}

/** A file that grows. Calls take effect in the order in which they are made, also without waiting in between. */
export interface AppendFile {
  /** Bytes, those not yet durable included. */
  readonly size: number;
  /** Adds bytes, all or none: a failed append leaves the file as it was. Not durable before `sync`. */
  append(bytes: Uint8Array): Promise<void>;
  /**
   * Makes everything so far durable. After a failure nothing is known about it and the file refuses further work
   * (code `disk-broken`): open it again and read what is there.
   */
  sync(): Promise<void>;
  /** Cuts the file to `length` bytes (at most its size). Not durable before `sync`. */
  truncate(length: number): Promise<void>;
  /** Idempotent. Does not sync. */
  close(): Promise<void>;
}

export type DiskErrorCode =
  | 'disk-full'
  | 'disk-read-only'
  | 'disk-denied'
  | 'disk-broken'
  | 'disk-closed'
  | 'disk-failed';

/** A file operation failed. The message names the operation, the path, the reason and what to do. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly kind: 'exhausted' | 'unavailable';
  readonly code: DiskErrorCode;
  readonly path: string;

  constructor(code: DiskErrorCode, operation: string, path: string, cause?: unknown) {
    super(
      `cannot ${operation} ${path}: ${explain(code, cause)}`,
      cause === undefined ? undefined : { cause },
    );
    this.kind = code === 'disk-full' ? 'exhausted' : 'unavailable';
    this.code = code;
    this.path = path;
  }
}

function explain(code: DiskErrorCode, cause: unknown): string {
  switch (code) {
    case 'disk-full':
      return 'no space left on the device or quota used up; free some space';
    case 'disk-read-only':
      return 'the file system is mounted read-only; check the disk and mount it writable';
    case 'disk-denied':
      return 'permission denied; run as the owner of the directory or correct its mode';
    case 'disk-broken':
      return 'an earlier failure left the file in an unknown state; open it again';
    case 'disk-closed':
      return 'the file is closed';
    case 'disk-failed':
      return cause instanceof Error ? cause.message : 'the operation failed';
  }
}
