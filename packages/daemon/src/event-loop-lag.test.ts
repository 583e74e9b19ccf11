import { describe, expect, it, vi } from 'vitest';
import { watchEventLoopLag } from './event-loop-lag.ts';
import { createManualClock } from './manual-clock.ts';
import { systemClock } from './system-clock.ts';

describe('watchEventLoopLag', () => {
  it('is silent while the loop turns', async () => {
    const clock = createManualClock();
    const onLag = vi.fn();
    const watch = watchEventLoopLag({ clock, onLag });
    await clock.advance(10_000);
    expect(onLag).not.toHaveBeenCalled();
    expect(watch.takeMaximumMs()).toBe(0);
    expect(watch.wasLateWithin(60_000)).toBe(false);
  });

  it('reports a stall once, remembers it for a while, and shows its size', async () => {
    const clock = createManualClock();
    const onLag = vi.fn();
    const watch = watchEventLoopLag({ clock, onLag, thresholdMs: 500, intervalMs: 100 });
    await clock.suspend(800);
    expect(onLag).toHaveBeenCalledExactlyOnceWith(700);
    expect(watch.lagMs()).toBe(700);
    await clock.advance(1000);
    expect(watch.lagMs()).toBe(0);
    expect(watch.wasLateWithin(2000)).toBe(true);
    expect(watch.wasLateWithin(500)).toBe(false);
    expect(watch.takeMaximumMs()).toBe(700);
    expect(watch.takeMaximumMs()).toBe(0);
  });

  it('is already seen by a timer that fires first after the stall', async () => {
    const clock = createManualClock();
    const seen: boolean[] = [];
    clock.setTimer(50, () => seen.push(watch.wasLateWithin(0)));
    const watch = watchEventLoopLag({ clock });
    await clock.suspend(5000);
    expect(seen).toEqual([true]);
  });

  it('stops, twice if need be', async () => {
    const clock = createManualClock();
    const watch = watchEventLoopLag({ clock });
    watch.stop();
    watch.stop();
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(10_000);
    expect(watch.lagMs()).toBe(0);
  });

  it('notices a real loop that is blocked', async () => {
    const lag = new Promise<number>((resolve) => {
      const watch = watchEventLoopLag({
        clock: systemClock(),
        thresholdMs: 30,
        intervalMs: 5,
        onLag: (lagMs) => {
          watch.stop();
          resolve(lagMs);
        },
      });
    });
    const untilMs = performance.now() + 60;
    while (performance.now() < untilMs);
    expect(await lag).toBeGreaterThan(30);
  });
});
