import { OakestraError } from '@oakestra/contracts';
import { sizeOfStatements } from './request-size.ts';
import type { Batch } from './thread-protocol.ts';

/** See the same limits of the SQLite thread. */
const groupLimitStatements = 5_000;
const waitingLimitBytes = 32 * 1024 * 1024;

interface WaitingBatch {
  readonly kind: 'batch';
  readonly batch: Batch;
  readonly bytes: number;
  readonly settle: (error: Error | undefined) => void;
}

interface WaitingWork {
  readonly kind: 'work';
  readonly run: () => Promise<void>;
}

/** Puts changes in order: batches that wait at one moment go as a group, other work goes alone. */
export interface WriteQueue {
  commit(batch: Batch): Promise<void>;
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when every batch submitted so far is answered. */
  settled(): Promise<void>;
  /** Resolves when nothing is left. */
  drained(): Promise<void>;
}

export interface WriteQueueOptions {
  /** The name of the store in messages. */
  readonly store: string;
  /** One entry per batch: what went wrong with it. */
  readonly applyGroup: (batches: readonly Batch[]) => Promise<readonly (Error | undefined)[]>;
}

export function createWriteQueue({ store, applyGroup }: WriteQueueOptions): WriteQueue {
  const waiting: (WaitingBatch | WaitingWork)[] = [];
  let waitingBytes = 0;
  let isWorking = false;
  let working: Promise<void> = Promise.resolve();
  let lastBatch: Promise<void> = Promise.resolve();

  function takeGroup(): WaitingBatch[] {
    const group: WaitingBatch[] = [];
    let statements = 0;
    for (
      let next = waiting[0];
      next?.kind === 'batch' && statements < groupLimitStatements;
      next = waiting[0]
    ) {
      group.push(next);
      statements += next.batch.statements.length;
      waiting.shift();
    }
    return group;
  }

  async function workOff(): Promise<void> {
    // What is submitted in the same turn joins the first group.
    await Promise.resolve();
    while (waiting.length > 0) {
      const group = takeGroup();
      if (group.length === 0) {
        const next = waiting.shift();
        if (next?.kind === 'work') {
          await next.run();
        }
        continue;
      }
      const failures = await applyGroup(group.map(({ batch }) => batch)).catch((error: Error) =>
        group.map(() => error),
      );
      for (const [index, { settle, bytes }] of group.entries()) {
        waitingBytes -= bytes;
        settle(failures[index]);
      }
    }
    isWorking = false;
  }

  function submit(entry: WaitingBatch | WaitingWork): void {
    waiting.push(entry);
    if (!isWorking) {
      isWorking = true;
      working = workOff();
    }
  }

  return {
    commit(batch) {
      const bytes = sizeOfStatements(batch.statements);
      if (waitingBytes + bytes > waitingLimitBytes) {
        const text = `The store ${store} is too slow: too many changes wait for it. Try again later.`;
        return Promise.reject(
          new OakestraError('exhausted', 'store-overloaded', text, { details: { store } }),
        );
      }
      waitingBytes += bytes;
      const committed = new Promise<void>((resolve, reject) => {
        const settle = (error: Error | undefined): void => (error === undefined ? resolve() : reject(error));
        submit({ kind: 'batch', batch, bytes, settle });
      });
      lastBatch = committed.catch(() => {});
      return committed;
    },
    alone: (work) =>
      new Promise((resolve, reject) => {
        submit({ kind: 'work', run: () => work().then(resolve, reject) });
      }),
    settled: () => lastBatch,
    async drained() {
      while (isWorking) {
        await working;
      }
    },
  };
}
