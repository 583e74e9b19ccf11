import type { Worker } from 'node:worker_threads';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { CancelTimer, Clock, Logger } from '@oakestra/daemon';
import { createHealthLog } from './health-log.ts';
import { sizeOfStatements } from './request-size.ts';
import { startSqliteThread } from './start-thread.ts';
import { closedError, storeError } from './store-error.ts';
import type {
  GroupReport,
  StatementResult,
  ThreadMessage,
  ThreadReply,
  ThreadRequest,
  ThreadRequestBody,
  ThreadSettings,
} from './thread-protocol.ts';

/** More waiting than this means that the disk cannot follow; refusing beats running out of memory. */
const waitingLimitBytes = 32 * 1024 * 1024;
/** Closing waits this long for the disk to take what is queued. */
const closeDeadlineMs = 60_000;
const slowGroupMs = 1_000;
const slowGroupSilenceMs = 60_000;

export interface ThreadStatistics {
  /** Batches that were answered, failed ones included. */
  readonly batches: number;
  /** Transactions that carried them. */
  readonly groups: number;
  readonly syncs: number;
}

/** The main thread's end of the store's thread. */
export interface ThreadClient {
  request(body: ThreadRequestBody): Promise<StatementResult>;
  readonly statistics: ThreadStatistics;
  /** Writes what is queued, closes the file and ends the thread. */
  close(): Promise<void>;
}

interface Waiting {
  readonly request: ThreadRequest;
  readonly bytes: number;
  readonly resolve: (result: StatementResult) => void;
  readonly reject: (error: Error) => void;
}

interface RunningThread {
  readonly worker: Worker;
  /** In the order of submission. */
  readonly waiting: Map<number, Waiting>;
  readonly ended: Promise<void>;
  /** It has said that it ends: what it has not answered goes to its successor. */
  isLeaving: boolean;
}

const nothing: StatementResult = { rows: [], changes: 0, lastInsertId: 0 };

export interface ThreadClientOptions {
  readonly settings: ThreadSettings;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Default: the thread that runs SQLite. */
  readonly startThread?: (settings: ThreadSettings) => Worker;
}

function sizeOf(body: ThreadRequestBody): number {
  return sizeOfStatements(
    body.kind === 'commit' ? body.statements : 'statement' in body ? [body.statement] : [],
  );
}

/** Starts the thread with the first request, and anew when it ended. */
export function createThreadClient(options: ThreadClientOptions): ThreadClient {
  const { settings, logger, clock, startThread = startSqliteThread } = options;
  const { path } = settings;
  let waitingBytes = 0;
  const counts = { batches: 0, groups: 0, syncs: 0 };
  let running: RunningThread | undefined;
  let nextId = 1;
  let closing: Promise<void> | undefined;
  const health = createHealthLog(logger, { path });
  let lastSlowMs = Number.NEGATIVE_INFINITY;

  function noteGroup({ batches, syncs, durationMs }: GroupReport): void {
    counts.batches += batches;
    counts.groups += 1;
    counts.syncs += syncs;
    const nowMs = clock.monotonicMs();
    if (durationMs > slowGroupMs && nowMs - lastSlowMs > slowGroupSilenceMs) {
      lastSlowMs = nowMs;
      logger.warn('the disk of the store is slow', { path, durationMs: Math.round(durationMs), batches });
    }
  }

  function settle(thread: RunningThread, { id, result, failure }: ThreadReply): void {
    const waiting = thread.waiting.get(id);
    if (waiting === undefined) {
      return;
    }
    thread.waiting.delete(id);
    waitingBytes -= waiting.bytes;
    const { kind } = waiting.request;
    const isRead = kind === 'read';
    const error = failure === undefined ? undefined : storeError(failure, path, isRead ? 'read' : 'write');
    if (error !== undefined || kind === 'commit') {
      health.note(error);
    }
    if (error === undefined) {
      waiting.resolve(result ?? nothing);
    } else {
      waiting.reject(error);
    }
    if (thread.waiting.size === 0) {
      thread.worker.unref();
    }
  }

  function endThread(thread: RunningThread, cause: unknown): void {
    if (running === thread) {
      running = undefined;
    }
    if (thread.isLeaving) {
      logger.debug('opens the store anew, because its disk failed', { path, waiting: thread.waiting.size });
    }
    if (thread.waiting.size === 0) {
      return;
    }
    if (thread.isLeaving) {
      handOver(thread.waiting);
      return;
    }
    const reason = cause === undefined ? 'it ended' : messageOf(cause);
    const error = new OakestraError(
      'unavailable',
      'store-thread-ended',
      `The thread of the store ${path} ended unexpectedly (${reason}). It starts again with the next request; ` +
        'what was not acknowledged may or may not have been stored.',
      { cause, details: { path } },
    );
    logger.error(error.message, { code: error.code, waiting: thread.waiting.size });
    for (const { reject, bytes } of thread.waiting.values()) {
      waitingBytes -= bytes;
      reject(error);
    }
    thread.waiting.clear();
  }

  function start(): RunningThread {
    const worker = startThread(settings);
    let cause: unknown;
    const waiting = new Map<number, Waiting>();
    const ended = new Promise<void>((resolve) => {
      worker.on('exit', () => {
        endThread(thread, cause);
        resolve();
      });
    });
    const thread: RunningThread = { worker, waiting, ended, isLeaving: false };
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('message', ({ replies, group, isLeaving }: ThreadMessage) => {
      thread.isLeaving ||= isLeaving === true;
      if (group !== undefined) {
        noteGroup(group);
      }
      for (const reply of replies) {
        settle(thread, reply);
      }
    });
    return thread;
  }

  function submit(entry: Waiting): void {
    running ??= start();
    const { worker, waiting, isLeaving } = running;
    if (waiting.size === 0) {
      worker.ref();
    }
    waiting.set(entry.request.id, entry);
    if (!isLeaving) {
      worker.postMessage(entry.request);
    }
  }

  function handOver(entries: ReadonlyMap<number, Waiting>): void {
    for (const entry of entries.values()) {
      submit(entry);
    }
  }

  function post(body: ThreadRequestBody): Promise<StatementResult> {
    const bytes = sizeOf(body);
    if (waitingBytes + bytes > waitingLimitBytes && body.kind !== 'end' && body.kind !== 'close') {
      const text = `The disk of the store ${path} is too slow: too many changes wait for it. Try again later.`;
      return Promise.reject(new OakestraError('exhausted', 'store-overloaded', text, { details: { path } }));
    }
    return new Promise((resolve, reject) => {
      const request: ThreadRequest = { ...body, id: nextId };
      nextId += 1;
      waitingBytes += bytes;
      submit({ request, bytes, resolve, reject });
    });
  }

  async function shutDown(): Promise<void> {
    if (running === undefined) {
      return;
    }
    let cancel: CancelTimer = () => {};
    const overdue = new Promise<'overdue'>((resolve) => {
      cancel = clock.setTimer(closeDeadlineMs, () => resolve('overdue'));
    });
    // Whichever thread answers is the last one.
    const closed = post({ kind: 'close' }).then(() => running?.ended);
    try {
      if ((await Promise.race([closed, overdue])) === 'overdue') {
        logger.error('the store did not close in time; its thread is ended', { path, closeDeadlineMs });
        closed.catch(() => {});
      }
    } finally {
      cancel();
      // Late, or after a failure, nothing else ends it.
      await running?.worker.terminate();
    }
  }

  return {
    request: (body) => (closing === undefined ? post(body) : Promise.reject(closedError(path))),
    get statistics() {
      return { ...counts };
    },
    close() {
      closing ??= shutDown();
      return closing;
    },
  };
}
