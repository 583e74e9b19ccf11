import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { DeadlineError, sleep, withDeadline } from './deadline.ts';
import { createManualClock } from './manual-clock.ts';
import { backoffDelayMs, retry } from './retry.ts';

const ALWAYS = { fraction: () => 0.5 };

describe('backoffDelayMs', () => {
  it('stays between 0 and the cap for any attempt', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 100_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, baseMs, capMs, drawn) => {
          const delayMs = backoffDelayMs({ attempt, baseMs, capMs }, { fraction: () => drawn });
          return delayMs >= 0 && delayMs <= capMs;
        },
      ),
    );
  });

  it('doubles its ceiling up to the cap', () => {
    const ceilings = [1, 2, 3, 4, 5].map((attempt) =>
      backoffDelayMs({ attempt, baseMs: 100, capMs: 1000 }, { fraction: () => 1 }),
    );
    expect(ceilings).toEqual([100, 200, 400, 800, 1000]);
  });
});

describe('retry', () => {
  it('tries until it succeeds and tells of each failure', async () => {
    const clock = createManualClock();
    const onRetry = vi.fn();
    const operation = vi.fn(async (attempt: number) => {
      if (attempt < 4) throw new Error(`failure ${attempt}`);
      return 'done';
    });
    const result = retry(operation, { clock, random: ALWAYS, baseMs: 100, onRetry });
    await clock.advance(50 + 100 + 200 - 1);
    expect(operation).toHaveBeenCalledTimes(3);
    await clock.advance(1);
    expect(await result).toBe('done');
    expect(onRetry.mock.calls.map(([failure]) => failure.delayMs)).toEqual([50, 100, 200]);
  });

  it('waits at least as long as the other side asked for', async () => {
    const clock = createManualClock();
    const operation = vi.fn(async (attempt: number) => {
      if (attempt === 1) throw new Error('busy');
    });
    const result = retry(operation, { clock, random: ALWAYS, minimumDelayMs: () => 5000 });
    await clock.advance(5000);
    expect(operation).toHaveBeenCalledTimes(1);
    await clock.advance(50);
    await result;
  });

  it('gives up on what is not retryable, and after the last attempt, with the last failure', async () => {
    const clock = createManualClock();
    const refused = vi.fn(async () => {
      throw new Error('wrong password');
    });
    await expect(retry(refused, { clock, random: ALWAYS, isRetryable: () => false })).rejects.toThrow(
      'wrong password',
    );
    expect(refused).toHaveBeenCalledTimes(1);
    const failing = vi.fn(async (attempt: number) => {
      throw new Error(`failure ${attempt}`);
    });
    const result = expect(retry(failing, { clock, random: ALWAYS, maxAttempts: 3 })).rejects.toThrow(
      'failure 3',
    );
    await clock.advance(60_000);
    await result;
    expect(failing).toHaveBeenCalledTimes(3);
  });

  it('ends with the reason of the signal, also in the middle of a wait, and leaves no timer', async () => {
    const clock = createManualClock();
    const controller = new AbortController();
    const operation = vi.fn(async () => {
      throw new Error('unreachable');
    });
    const result = expect(
      retry(operation, { clock, random: ALWAYS, baseMs: 1e6, capMs: 1e6, signal: controller.signal }),
    ).rejects.toThrow('shutting down');
    await clock.advance(10);
    controller.abort(new Error('shutting down'));
    await result;
    expect(operation).toHaveBeenCalledTimes(1);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('withDeadline', () => {
  it('passes the result on and leaves no timer', async () => {
    const clock = createManualClock();
    expect(await withDeadline(async () => 7, { clock, timeoutMs: 100, what: 'x' })).toBe(7);
    expect(clock.pendingTimers).toBe(0);
  });

  it('passes a failure on, also one that is thrown at once', async () => {
    const clock = createManualClock();
    const failing = () => {
      throw new Error('broken');
    };
    await expect(withDeadline(failing, { clock, timeoutMs: 100, what: 'x' })).rejects.toThrow('broken');
    expect(clock.pendingTimers).toBe(0);
  });

  it('names what took too long, and tells the operation', async () => {
    const clock = createManualClock();
    let seen: unknown;
    const result = withDeadline(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            seen = signal.reason;
            reject(new Error('late failure, which nobody hears'));
          });
        }),
      { clock, timeoutMs: 90_000, what: 'pulling nginx' },
    );
    const expectation = expect(result).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: 'pulling nginx did not finish within 1m30s',
    });
    await clock.advance(90_000);
    await expectation;
    expect(seen).toBeInstanceOf(DeadlineError);
  });

  it('ends early with the reason of the signal from outside', async () => {
    const clock = createManualClock();
    const controller = new AbortController();
    const { signal } = controller;
    const result = withDeadline(() => new Promise(() => {}), { clock, timeoutMs: 1000, what: 'x', signal });
    controller.abort(new Error('told to stop'));
    await expect(result).rejects.toThrow('told to stop');
    expect(clock.pendingTimers).toBe(0);
    const operation = vi.fn(async () => {});
    await expect(withDeadline(operation, { clock, timeoutMs: 1000, what: 'x', signal })).rejects.toThrow(
      'told to stop',
    );
    expect(operation).not.toHaveBeenCalled();
  });
});

describe('sleep', () => {
  it('ends after its time, or with the reason of the signal', async () => {
    const clock = createManualClock();
    const controller = new AbortController();
    const done = vi.fn();
    const slept = sleep(clock, 100).then(done);
    await clock.advance(99);
    expect(done).not.toHaveBeenCalled();
    await clock.advance(1);
    await slept;
    const interrupted = sleep(clock, 100, controller.signal);
    controller.abort(new Error('enough'));
    await expect(interrupted).rejects.toThrow('enough');
    await expect(sleep(clock, 100, controller.signal)).rejects.toThrow('enough');
    expect(clock.pendingTimers).toBe(0);
  });
});
