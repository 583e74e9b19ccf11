import type { AppendFile, Disk, Logger } from '@oakestra/daemon';
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
  /** Appends and syncs; calls back when everything so far is durable. Appends in flight share a sync. */
  append(lines: readonly JournalLine[], done: (error?: Error) => void): void;
  close(): Promise<void>;
}

/** Smaller journals are not worth compacting. */
const COMPACT_FROM_BYTES = 256 * 1024;

export async function openJournal(options: {
  readonly disk: Disk;
  readonly path: string;
  readonly logger: Logger;
  readonly newIncarnation: () => string;
}): Promise<Journal> {
  const { disk, path, logger } = options;
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
  let isWriting = false;
  let isBroken: Error | undefined;
  let idle: () => void = () => {};

  const compact = async (): Promise<void> => {
    const live = Buffer.from(linesOf(state).map(encodeLine).join(''));
    if (file.size < COMPACT_FROM_BYTES || file.size < live.length * 4) return;
    await file.close();
    await disk.replaceFile(path, live);
    file = await disk.openAppendFile(path);
  };

  const write = async (): Promise<void> => {
    isWriting = true;
    while (pending.length > 0) {
      const batch = pending;
      pending = [];
      try {
        if (isBroken !== undefined) throw isBroken;
        await file.append(Buffer.from(batch.map(({ text }) => text).join('')));
        await file.sync();
      } catch (error) {
        isBroken = error as Error;
        for (const { done } of batch) done(isBroken);
        continue;
      }
      for (const { done } of batch) done();
      try {
        await compact();
      } catch (error) {
        isBroken = error as Error;
        logger.error('the journal could not be compacted', { error });
      }
    }
    isWriting = false;
    idle();
  };

  return {
    content: state,
    append(lines, done) {
      for (const line of lines) apply(state, line);
      pending.push({ text: lines.map(encodeLine).join(''), done });
      if (!isWriting) void write();
    },
    async close() {
      if (isWriting) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
      await file.close();
    },
  };
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
  if (damaged > 0) logger.error('lines of the journal are damaged and were left out', { lines: damaged });
  return validBytes;
}
