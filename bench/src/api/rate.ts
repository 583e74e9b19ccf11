/** How fast something was done again and again, and how long each time took. */
export interface Rate {
  readonly perSecond: number;
  readonly latenciesMs: readonly number[];
}

interface RateOptions {
  /** How many are under way at a time. */
  readonly concurrent: number;
  /** Ends after this time, or after so many: whichever is given. */
  readonly durationMs?: number;
  readonly times?: number;
  /** Gets the number of the turn, from 0. */
  readonly work: (turn: number) => Promise<unknown>;
}

/** Begins the next turn when one has ended, so that `concurrent` are always under way. */
export async function measureRate(options: RateOptions): Promise<Rate> {
  const {
    concurrent,
    durationMs = Number.POSITIVE_INFINITY,
    times = Number.POSITIVE_INFINITY,
    work,
  } = options;
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < times && performance.now() - startedMs < durationMs) {
      const turn = next;
      next += 1;
      const beganMs = performance.now();
      await work(turn);
      latenciesMs.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: concurrent }, lane));
  return { perSecond: latenciesMs.length / ((performance.now() - startedMs) / 1000), latenciesMs };
}
