import { basename, dirname, normalize } from 'node:path';
import { type AppendFile, type Disk, DiskError } from './disk.ts';
import { createSerialQueue } from './serial-queue.ts';

export type DiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'replace'
  | 'remove'
  | 'list'
  | 'create';

export interface MemoryDiskOptions {
  /** Bytes that fit; writes beyond fail with `disk-full`. Default: no limit. */
  readonly capacityBytes?: number;
  /** Awaited before each operation takes effect: the place for delays and, by throwing, for faults. */
  readonly beforeOperation?: (operation: DiskOperation, path: string) => Promise<void> | void;
}

export interface CrashOptions {
  /**
   * How many of the `unsyncedBytes` last appended bytes of a file reached the platter; the rest is gone. Default: none.
   */
  readonly keepUnsynced?: (path: string, unsyncedBytes: number) => number;
  /** What those bytes hold: what was written, or zeros, as when only the file's length was written. Default `data`. */
  readonly keptAs?: 'data' | 'zeros';
}

/** A disk for simulations and tests, with faults. */
export interface MemoryDisk extends Disk {
  /** What a power cut does: unsynced work is lost, handles become useless, operations under way fail. */
  crash(options?: CrashOptions): void;
  /** Sets the limit anew; below what is used, every write fails. */
  setCapacity(capacityBytes: number): void;
  /** Bytes in use, unsynced ones included. */
  readonly usedBytes: number;
  /** All paths, sorted. */
  paths(): string[];
}

interface StoredFile {
  /** What survives a crash. */
  durable: Uint8Array;
  /** What a reader sees. */
  current: Uint8Array;
  /** Length that durable content and current content share; only the rest of `current` is at risk. */
  sharedLength: number;
}

/** A disk in memory whose unsynced writes are explicit. It passes the same tests as the real one. */
export function createMemoryDisk(options: MemoryDiskOptions = {}): MemoryDisk {
  const files = new Map<string, StoredFile>();
  const directories = new Set(['/', '.']);
  let capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
  let boots = 0;

  const usedBytes = () => [...files.values()].reduce((sum, file) => sum + file.current.byteLength, 0);
  const operate = async <T>(
    operation: DiskOperation,
    name: string,
    action: (path: string) => T,
  ): Promise<T> => {
    const path = normalize(name).replace(/(?<=.)\/$/, '');
    const boot = boots;
    await options.beforeOperation?.(operation, path);
    if (boot !== boots) throw new DiskError('disk-closed', operation, path);
    return action(path);
  };
  const claim = (operation: DiskOperation, path: string, moreBytes: number) => {
    if (usedBytes() + moreBytes > capacityBytes) throw new DiskError('disk-full', operation, path);
  };
  const requireDirectory = (operation: DiskOperation, path: string) => {
    if (directories.has(dirname(path))) return;
    throw new DiskError('disk-failed', operation, path, new Error(`there is no directory ${dirname(path)}`));
  };

  return {
    openAppendFile: (name) =>
      operate('open', name, (path) => {
        requireDirectory('open', path);
        const file = files.get(path) ?? { durable: empty(), current: empty(), sharedLength: 0 };
        files.set(path, file);
        const boot = boots;
        return appendFile({ path, file, operate, claim, isGone: () => boot !== boots });
      }),
    readFile: (name) => operate('read', name, (path) => files.get(path)?.current.slice()),
    replaceFile: (name, content) =>
      operate('replace', name, (path) => {
        requireDirectory('replace', path);
        // The old content stays until the new one is complete.
        claim('replace', path, content.byteLength);
        const copy = content.slice();
        files.set(path, { durable: copy, current: copy, sharedLength: copy.byteLength });
      }),
    removeFile: (name) => operate('remove', name, (path) => void files.delete(path)),
    listFiles: (name) =>
      operate('list', name, (directory) =>
        [...files.keys()].flatMap((path) => (dirname(path) === directory ? [basename(path)] : [])).sort(),
      ),
    ensureDirectory: (name) =>
      operate('create', name, (path) => {
        for (let parent = path; !directories.has(parent); parent = dirname(parent)) directories.add(parent);
      }),
    crash({ keepUnsynced = () => 0, keptAs = 'data' } = {}) {
      boots++;
      for (const [path, file] of files) {
        const atRisk = file.current.byteLength - file.sharedLength;
        const kept = Math.min(Math.max(Math.trunc(atRisk > 0 ? keepUnsynced(path, atRisk) : 0), 0), atRisk);
        if (kept > 0) {
          const torn = file.current.slice(0, file.sharedLength + kept);
          if (keptAs === 'zeros') torn.fill(0, file.sharedLength);
          file.durable = torn;
        }
        file.current = file.durable;
        file.sharedLength = file.durable.byteLength;
      }
    },
    setCapacity(bytes) {
      capacityBytes = bytes;
    },
    get usedBytes() {
      return usedBytes();
    },
    paths: () => [...files.keys()].sort(),
  };
}

interface AppendFileParts {
  readonly path: string;
  readonly file: StoredFile;
  readonly operate: <T>(operation: DiskOperation, path: string, action: () => T) => Promise<T>;
  readonly claim: (operation: DiskOperation, path: string, moreBytes: number) => void;
  readonly isGone: () => boolean;
}

function appendFile({ path, file, operate, claim, isGone }: AppendFileParts): AppendFile {
  const inOrder = createSerialQueue();
  let state: 'open' | 'broken' | 'closed' = 'open';

  const work = (operation: DiskOperation, action: () => void) =>
    inOrder(async () => {
      const refused =
        isGone() || state === 'closed' ? 'disk-closed' : state === 'broken' ? 'disk-broken' : undefined;
      if (refused !== undefined) throw new DiskError(refused, operation, path);
      await operate(operation, path, action);
    });

  return {
    get size() {
      return file.current.byteLength;
    },
    append: (bytes) =>
      work('write', () => {
        claim('write', path, bytes.byteLength);
        file.current = joined(file.current, bytes);
      }),
    async sync() {
      try {
        await work('sync', () => {
          file.durable = file.current;
          file.sharedLength = file.current.byteLength;
        });
      } catch (error) {
        if (state === 'open') state = 'broken';
        throw error;
      }
    },
    truncate: (length) =>
      work('truncate', () => {
        const size = file.current.byteLength;
        if (!(length >= 0 && length <= size))
          throw new RangeError(`${length} is not within 0 and ${size} bytes`);
        file.current = file.current.slice(0, length);
        file.sharedLength = Math.min(file.sharedLength, length);
      }),
    close: () =>
      inOrder(() => {
        state = 'closed';
      }),
  };
}

function empty(): Uint8Array {
  return new Uint8Array(0);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.byteLength + second.byteLength);
  whole.set(first);
  whole.set(second, first.byteLength);
  return whole;
}
