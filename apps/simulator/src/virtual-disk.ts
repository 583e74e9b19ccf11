import type { SeededRandom } from './seeded-random.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Applies one batch of writes to the content of a disk. */
export type Change<Content> = (content: Content) => Content;

/** A disk that loses what was not synced when its machine or process dies, in the order of writing. */
export interface VirtualDisk<Content> {
  /** What a process finds when it starts. */
  read(): Content;
  commit(change: Change<Content>, durability: 'full' | 'normal', done: (error?: Error) => void): void;
  /** The process died: a random suffix of what was not synced is lost, and nobody is told of the rest. */
  crash(): void;
  /** As a backup would have it now. */
  snapshot(): Content;
  replace(content: Content): void;
}

interface Batch<Content> {
  readonly change: Change<Content>;
  done: ((error?: Error) => void) | undefined;
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
      for (const batch of batches) durable = batch.change(durable);
      for (const batch of batches) batch.done?.();
      if (unsynced.some((batch) => batch.done !== undefined)) sync();
    });
  };

  return {
    read: () => durable,
    commit(change, durability, done) {
      if (durability === 'full') {
        unsynced.push({ change, done });
        sync();
      } else {
        unsynced.push({ change, done: undefined });
        done();
      }
    },
    crash() {
      generation += 1;
      isSyncing = false;
      const kept = random.below(unsynced.length + 1);
      for (const batch of unsynced.slice(0, kept)) durable = batch.change(durable);
      unsynced = [];
    },
    snapshot: () => durable,
    replace(content) {
      generation += 1;
      isSyncing = false;
      unsynced = [];
      durable = content;
    },
  };
}
