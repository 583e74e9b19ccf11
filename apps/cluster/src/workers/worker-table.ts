import {
  createPublisher,
  type FleetReport,
  type Publisher,
  type Source,
  type SyncRequest,
  type WorkerRow,
} from '@oakestra/contracts';
import type { CancelTimer, Clock } from '@oakestra/daemon';

/** The table of our workers as the root reads it: what changes is told together, and now and then a digest. */
export interface WorkerTable {
  /** Something about a worker may have changed. */
  touch(workerId: string): void;
  /** A root that reads such tables is there; with which life of ours it began. */
  sessionUp(source: Source): void;
  sessionDown(): void;
  answer(request: SyncRequest): void;
}

/** Figures change all the time: they go together. */
const TOGETHER_MS = 1000;
const DIGEST_MS = 30_000;

export function createWorkerTable(options: {
  readonly clock: Clock;
  /** Ids of all workers that were ever registered. */
  readonly workers: () => readonly string[];
  readonly rowOf: (workerId: string) => WorkerRow | undefined;
  readonly send: (report: FleetReport) => void;
}): WorkerTable {
  const { clock } = options;
  const touched = new Set<string>();
  let publisher: Publisher<WorkerRow> | undefined;
  let cancelFlush: CancelTimer | undefined;
  let cancelDigest: CancelTimer | undefined;

  const say = (table: FleetReport['table']): void => options.send({ type: 'workers', table });

  const put = (target: Publisher<WorkerRow>, workerId: string): void => {
    const row = options.rowOf(workerId);
    if (row === undefined) target.delete(workerId);
    else target.set(workerId, row);
  };

  const flush = (): void => {
    cancelFlush?.();
    cancelFlush = undefined;
    if (publisher === undefined) return;
    for (const workerId of touched) put(publisher, workerId);
    touched.clear();
    const changes = publisher.takeChanges();
    if (changes !== undefined) say(changes);
  };

  const armDigest = (): void => {
    cancelDigest = clock.setTimer(DIGEST_MS, () => {
      flush();
      if (publisher !== undefined) say(publisher.digest());
      armDigest();
    });
  };

  const end = (): void => {
    cancelFlush?.();
    cancelDigest?.();
    cancelFlush = undefined;
    publisher = undefined;
    touched.clear();
  };

  return {
    touch(workerId) {
      if (publisher === undefined) return;
      touched.add(workerId);
      cancelFlush ??= clock.setTimer(TOGETHER_MS, flush);
    },
    sessionUp(source) {
      end();
      publisher = createPublisher<WorkerRow>(source);
      for (const workerId of options.workers()) put(publisher, workerId);
      say(publisher.restart());
      armDigest();
    },
    sessionDown: end,
    answer(request) {
      if (publisher === undefined) return;
      flush();
      say(publisher.answer(request));
    },
  };
}
