import type { LinkClock } from './ports.ts';

/** A clock that stands still until a test moves it. */
export interface TestClock extends LinkClock {
  /** Lets time pass: fires timers in order, and lets promises settle after each. */
  advance(byMs: number): Promise<void>;
}

export function createTestClock(): TestClock {
  let nowMs = 1_000;
  const timers = new Set<{ readonly atMs: number; readonly action: () => void }>();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  function nextTimer(untilMs: number) {
    return [...timers].filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
  }

  return {
    monotonicMs: () => nowMs,
    setTimer(delayMs, action) {
      const timer = { atMs: nowMs + delayMs, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async advance(byMs) {
      const untilMs = nowMs + byMs;
      await settle();
      for (let timer = nextTimer(untilMs); timer !== undefined; timer = nextTimer(untilMs)) {
        nowMs = timer.atMs;
        timers.delete(timer);
        timer.action();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
  };
}
