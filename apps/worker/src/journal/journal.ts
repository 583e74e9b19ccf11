import { basename, dirname, join } from 'node:path';
import { type AppendFile, type Disk, DiskError, type Logger } from '@oakestra/daemon';
import type { InstanceEntry, WorkerMeta } from './entry.ts';
import { decodeLine, encodeLine, type JournalLine } from './line.ts';

/** What a worker remembers over restarts and reboots. */
export interface JournalContent {
  readonly meta: WorkerMeta;
  /** How often the process was started. */
  readonly boots: number;
  /** Id that the cluster gave us; undefined before the first registration. */
  readonly workerId: string | undefined;
  readonly entries: ReadonlyMap<string, InstanceEntry>;
}

/**
 * An append-only file of checksummed lines, compacted when most of it is out of date. There is no database in a
 * worker: this is all that must survive.
 */
export interface Journal {
  readonly content: JournalContent;
  /**
   * Appends and syncs; calls back when everything so far is durable, in the order of the calls. Appends in flight
   * share a sync. After a failure `content` is ahead of the disk, and every later append fails with the same error:
   * open the journal again.
   */
  append(lines: readonly JournalLine[], done: (error?: Error) => void): void;
  /** Writes what is under way. Idempotent. */
  close(): Promise<void>;
}

const SMALLEST_BYTES = 256 * 1024;
/** Compacted when it is this many times larger than what is in it. */
const OUTDATED_SHARE = 4;

export async function openJournal(options: {
  readonly disk: Disk;
  readonly path: string;
  readonly logger: Logger;
  readonly newIncarnation: () => string;
  /** Smaller journals are not worth compacting. Default 256 KiB. */
  readonly smallestBytes?: number;
}): Promise<Journal> {
  const { disk, path, logger, smallestBytes = SMALLEST_BYTES } = options;
  await removeUnfinished(disk, path);
  const state = createState(options.newIncarnation());
  const bytes = await disk.readFile(path);
  let validBytes = 0;
  if (bytes !== undefined) validBytes = replay(bytes, state, logger);
  let file: AppendFile = await disk.openAppendFile(path);
  if (file.size > validBytes) {
    // The last write before a crash was torn; nobody was told of it.
    await file.truncate(validBytes);
  }
  let pending: { readonly text: string; readonly done: (error?: Error) => void }[] = [];
  let writing: Promise<void> | undefined;
  let failure: Error | undefined;
  /** Looking for what is out of date costs as much as writing all of it: not before there can be much. */
  let compactFromBytes = smallestBytes;
  let closing: Promise<void> | undefined;

  const compact = async (): Promise<void> => {
    if (file.size < compactFromBytes) return;
    const live = Buffer.from(linesOf(state).map(encodeLine).join(''));
    compactFromBytes = Math.max(smallestBytes, live.length * OUTDATED_SHARE);
    if (file.size < compactFromBytes) return;
    const older = file;
    try {
      await disk.replaceFile(path, live);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== 'disk-full') throw error;
      // There was no room for a second file. If the first one is untouched, nothing is lost by going on with it.
      if ((await disk.readFile(path))?.byteLength !== older.size) throw error;
      compactFromBytes = older.size * 2;
      logger.warn('no room to compact the journal', { path, reason: error.message });
      return;
    }
    file = await disk.openAppendFile(path);
    await older.close();
  };

  const tell = (batch: typeof pending, error?: Error): void => {
    for (const { done } of batch) {
      try {
        done(error);
      } catch (thrown) {
        logger.error('what follows from an entry of the journal failed', { error: thrown });
      }
    }
  };

  const write = async (): Promise<void> => {
    while (pending.length > 0) {
      const batch = pending;
      pending = [];
      try {
        if (failure !== undefined) throw failure;
        await file.append(Buffer.from(batch.map(({ text }) => text).join('')));
        await file.sync();
      } catch (error) {
        failure = error as Error;
        tell(batch, failure);
        continue;
      }
      tell(batch);
      try {
        await compact();
      } catch (error) {
        failure = error as Error;
        logger.error('the journal could not be compacted', { error });
      }
    }
    writing = undefined;
  };

  const close = async (): Promise<void> => {
    await writing;
    await file.close();
  };

  return {
    content: state,
    append(lines, done) {
      for (const line of lines) apply(state, line);
      pending.push({ text: lines.map(encodeLine).join(''), done });
      writing ??= write();
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** A crash while the journal was compacted leaves half of the new one. */
async function removeUnfinished(disk: Disk, path: string): Promise<void> {
  const directory = dirname(path);
  for (const name of await disk.listFiles(directory)) {
    const isUnfinished = name.startsWith(`${basename(path)}.`) && name.endsWith('.tmp');
    if (isUnfinished) await disk.removeFile(join(directory, name));
  }
}

interface State extends JournalContent {
  meta: WorkerMeta;
  boots: number;
  workerId: string | undefined;
  entries: Map<string, InstanceEntry>;
}

function createState(incarnation: string): State {
  return {
    meta: { incarnation, highestEpoch: { root: 0, cluster: 0 }, fenceByMs: null },
    boots: 0,
    workerId: undefined,
    entries: new Map(),
  };
}

function apply(state: State, line: JournalLine): void {
  switch (line.kind) {
    case 'entry':
      state.entries.set(line.entry.key, line.entry);
      break;
    case 'gone':
      state.entries.delete(line.key);
      break;
    case 'meta':
      state.meta = line.meta;
      break;
    case 'boot':
      state.boots = line.boots;
      break;
    case 'worker':
      state.workerId = line.workerId;
      break;
  }
}

function linesOf(state: State): JournalLine[] {
  return [
    { kind: 'meta', meta: state.meta },
    { kind: 'boot', boots: state.boots },
    ...(state.workerId === undefined ? [] : [{ kind: 'worker' as const, workerId: state.workerId }]),
    ...Array.from(state.entries.values(), (entry) => ({ kind: 'entry' as const, entry })),
  ];
}

/** Applies every sound line; answers where the sound part ends. */
function replay(bytes: Uint8Array, state: State, logger: Logger): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  let validBytes = 0;
  let damaged = 0;
  for (let end = text.indexOf(0x0a, start); end !== -1; end = text.indexOf(0x0a, start)) {
    const line = decodeLine(text.toString('utf8', start, end));
    start = end + 1;
    if (line === undefined) {
      damaged += 1;
      continue;
    }
    apply(state, line);
    validBytes = start;
  }
  if (damaged > 0) {
    logger.error('lines of the journal are damaged and were left out; check the disk', { lines: damaged });
  }
  return validBytes;
}
