import type { Clock } from './clock.ts';
import type { Random } from './random.ts';
import { retry } from './retry.ts';

export interface RebuildableOptions<T> {
  /** Makes it from what the disk has. `fail` says that memory got ahead of the disk: it must be made again. */
  readonly build: (fail: (error: Error) => void) => Promise<T>;
  /** Rejects while the disk cannot be written; asked before each further `build`, never before the first. */
  readonly probe: () => Promise<void>;
  /** It failed and does nothing any more; the next one is being made. */
  readonly onFailed: (error: Error) => void;
  /** The next one is `current`. */
  readonly onRebuilt: (next: T) => void;
  /** Ends one that nobody will use. */
  readonly discard: (built: T) => void;
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
}

/** State in memory that goes back to what the disk has when a write fails, as if the process had started again. */
export interface Rebuildable<T> {
  current(): T;
  /** Why `current` is out of work; undefined while it works. */
  failure(): Error | undefined;
  /** Discards it; nothing is rebuilt any more. Idempotent. */
  stop(): void;
}

const BACKOFF = { baseMs: 500, capMs: 10_000 };

/** Rejects with the failure of the first `build`; later failures are tried again until `stop`. */
export async function createRebuildable<T>(options: RebuildableOptions<T>): Promise<Rebuildable<T>> {
  const { probe, clock, random } = options;
  const stopping = new AbortController();
  let generation = 0;
  let failure: Error | undefined;

  const build = (): Promise<T> => {
    generation += 1;
    const own = generation;
    return options.build((error) => {
      // What an earlier one still had under way says nothing new.
      if (own === generation && failure === undefined && !stopping.signal.aborted) fail(error);
    });
  };

  const fail = (error: Error): void => {
    failure = error;
    options.onFailed(error);
    const attempt = async (): Promise<T> => {
      await probe();
      return build();
    };
    retry(attempt, { clock, random, signal: stopping.signal, ...BACKOFF }).then(
      (next: T) => {
        if (stopping.signal.aborted) {
          options.discard(next);
          return;
        }
        current = next;
        failure = undefined;
        options.onRebuilt(next);
      },
      // Only `stop` ends the attempts.
      () => {},
    );
  };

  let current: T = await build();

  return {
    current: () => current,
    failure: () => failure,
    stop() {
      if (stopping.signal.aborted) return;
      stopping.abort(new Error('stopped'));
      options.discard(current);
    },
  };
}
