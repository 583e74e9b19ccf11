import type { SeededRandom } from './random.ts';
import type { VirtualTime } from './time.ts';

/** Applies one batch of writes to the content of a disk. */
export type Change<Content> = (content: Content) => Content;

/** A disk that loses what was not synced when its machine or process dies, in the order of writing. */
export interface VirtualDisk<Content> {
  /** What a process finds when it starts. */
  read(): Content;
  commit(change: Change<Content>, durability: 'full' | 'normal', done: (error?: Error) => void): void;
  /** The process died: a random suffix of what was not synced is lost, and nobody is told of the rest. */
  crash(): void;
  /** Writes fail until there is room again. */
  fill(): void;
  free(): void;
  /** Puts another content there: a backup, or nothing. Only while no process runs on it. */
  replace(content: Content): void;
}

interface Batch<Content> {
  readonly change: Change<Content>;
  readonly done: ((error?: Error) => void) | undefined;
}

export function createVirtualDisk<Content>(options: {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly empty: Content;
}): VirtualDisk<Content> {
  const { time, random } = options;
  let durable = options.empty;
  let unsynced: Batch<Content>[] = [];
  let generation = 0;
  let isSyncing = false;
  let isFull = false;

  const sync = (): void => {
    if (isSyncing) return;
    isSyncing = true;
    const mine = generation;
    const count = unsynced.length;
    const durationMs = random.chance(0.05) ? 50 + random.below(300) : 1 + random.below(5);
    time.after(durationMs, () => {
      if (mine !== generation) return;
      isSyncing = false;
      const batches = unsynced.splice(0, count);
      const error = isFull ? new Error('no space left on device') : undefined;
      if (error === undefined) for (const batch of batches) durable = batch.change(durable);
      for (const batch of batches) if (mine === generation) batch.done?.(error);
      if (unsynced.some((batch) => batch.done !== undefined)) sync();
    });
  };

  const forgetUnsynced = (): void => {
    generation += 1;
    isSyncing = false;
    unsynced = [];
  };

  return {
    read: () => durable,
    commit(change, durability, done) {
      if (durability === 'full' || isFull) {
        unsynced.push({ change, done });
        sync();
      } else {
        unsynced.push({ change, done: undefined });
        done();
      }
    },
    crash() {
      const kept = isFull ? 0 : random.below(unsynced.length + 1);
      for (const batch of unsynced.slice(0, kept)) durable = batch.change(durable);
      forgetUnsynced();
    },
    fill() {
      isFull = true;
    },
    free() {
      isFull = false;
    },
    replace(content) {
      forgetUnsynced();
      durable = content;
    },
  };
}
