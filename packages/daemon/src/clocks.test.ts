import { describe, expect, it, vi } from 'vitest';
import { createManualClock } from './manual-clock.ts';
import { newId, randomHex } from './random.ts';
import { seededRandom } from './seeded-random.ts';
import { systemClock } from './system-clock.ts';
import { systemRandom } from './system-random.ts';

describe('systemClock', () => {
  const fakeSources = () => {
    const time = { awakeMs: 5000, bootMs: 9000 as number | undefined, reads: 0 };
    const clock = systemClock({
      wallMs: () => 42,
      awakeMs: () => time.awakeMs,
      bootMs: () => {
        time.reads++;
        return time.bootMs;
      },
    });
    return { time, clock };
  };

  it('counts the time of a suspend, which the timer of the processor does not', () => {
    const { time, clock } = fakeSources();
    const before = clock.monotonicMs();
    time.awakeMs += 1500;
    time.bootMs = 9000 + 1500 + 60_000;
    expect(clock.monotonicMs() - before).toBe(61_500);
  });

  it('does not follow the coarse grain of the uptime, and never goes back', () => {
    const { time, clock } = fakeSources();
    const before = clock.monotonicMs();
    time.awakeMs += 2000;
    time.bootMs = 9000 + 2000 + 900;
    expect(clock.monotonicMs() - before).toBe(2000);
    time.awakeMs += 2000;
    time.bootMs = 9000 + 60_000;
    const after = clock.monotonicMs();
    time.awakeMs += 2000;
    time.bootMs = undefined;
    expect(clock.monotonicMs()).toBe(after + 2000);
  });

  it('reads the uptime at most once a second', () => {
    const { time, clock } = fakeSources();
    for (let step = 0; step < 100; step++) {
      time.awakeMs += 50;
      clock.monotonicMs();
    }
    expect(time.reads).toBe(1 + 5);
  });

  it('fires a long timer soon after a suspend that it ended in', () => {
    vi.useFakeTimers();
    try {
      const { time, clock } = fakeSources();
      const action = vi.fn();
      clock.setTimer(60_000, action);
      time.awakeMs += 2000;
      time.bootMs = 9000 + 2000 + 600_000;
      vi.advanceTimersByTime(2000);
      expect(action).toHaveBeenCalledTimes(1);
      vi.advanceTimersByTime(600_000);
      expect(action).toHaveBeenCalledTimes(1);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('keeps a timer that is longer than the limit of Node', () => {
    vi.useFakeTimers();
    try {
      const time = { awakeMs: 0 };
      const clock = systemClock({ wallMs: () => 0, awakeMs: () => time.awakeMs, bootMs: () => undefined });
      const action = vi.fn();
      const setNodeTimer = vi.spyOn(globalThis, 'setTimeout');
      const cancel = clock.setTimer(40 * 86_400_000, action);
      // More than this and Node would fire after a millisecond.
      expect(setNodeTimer.mock.calls.map(([, delayMs]) => delayMs)).toEqual([2 ** 31 - 1]);
      time.awakeMs += 2000;
      vi.advanceTimersByTime(2000);
      expect(action).not.toHaveBeenCalled();
      cancel();
      cancel();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('refuses a delay that is not one', () => {
    expect(() => systemClock().setTimer(Number.NaN, () => {})).toThrow(RangeError);
    expect(() => createManualClock().setTimer(-1, () => {})).toThrow(RangeError);
  });

  it('works on this machine: short and cancelled timers, time moves', async () => {
    const clock = systemClock();
    const began = clock.monotonicMs();
    const cancelled = vi.fn();
    clock.setTimer(1, cancelled)();
    // The timer does not keep the process alive, but the test runner does.
    await new Promise<void>((resolve) => clock.setTimer(5, resolve));
    expect(cancelled).not.toHaveBeenCalled();
    expect(clock.monotonicMs() - began).toBeGreaterThan(3);
    expect(Math.abs(clock.nowMs() - Date.now())).toBeLessThan(1000);
  });
});

describe('createManualClock', () => {
  it('fires timers in order, each at its own time, also those set on the way', async () => {
    const clock = createManualClock();
    const seen: [string, number][] = [];
    clock.setTimer(20, () => seen.push(['second', clock.monotonicMs()]));
    clock.setTimer(10, () => {
      seen.push(['first', clock.monotonicMs()]);
      clock.setTimer(5, () => seen.push(['between', clock.monotonicMs()]));
    });
    clock.setTimer(15, () => seen.push(['cancelled', 0]))();
    await clock.advance(20);
    expect(seen).toEqual([
      ['first', 10],
      ['between', 15],
      ['second', 20],
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('fires overdue timers only after a suspend', async () => {
    const clock = createManualClock();
    let firedAtMs = 0;
    clock.setTimer(10, () => {
      firedAtMs = clock.monotonicMs();
    });
    const wallMs = clock.nowMs();
    await clock.suspend(1000);
    expect(firedAtMs).toBe(1000);
    clock.jumpWallClock(-5000);
    expect(clock.nowMs()).toBe(wallMs + 1000 - 5000);
    expect(clock.monotonicMs()).toBe(1000);
  });
});

describe('randomness', () => {
  it('repeats itself for the same seed only', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return [newId(random), randomHex(random, 3), random.fraction()];
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it.each([
    ['systemRandom', systemRandom()],
    ['seededRandom', seededRandom(1)],
  ])('%s gives bytes and fractions in range', (_, random) => {
    const bytes = random.bytes(4096);
    expect(bytes).toHaveLength(4096);
    expect(new Set(bytes).size).toBeGreaterThan(200);
    const fractions = Array.from({ length: 1000 }, () => random.fraction());
    expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
    expect(Math.max(...fractions) - Math.min(...fractions)).toBeGreaterThan(0.9);
  });
});
