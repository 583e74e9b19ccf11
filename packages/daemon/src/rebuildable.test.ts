import { expect, it, type Mock, vi } from 'vitest';
import { createManualClock } from './manual-clock.ts';
import { createRebuildable, type RebuildableOptions } from './rebuildable.ts';

const random = { fraction: () => 1 };

function setUp(overrides: Partial<RebuildableOptions<string>> = {}) {
  const clock = createManualClock();
  const fails: ((error: Error) => void)[] = [];
  let builds = 0;
  const options = {
    build: vi.fn(async (fail: (error: Error) => void) => {
      fails.push(fail);
      builds += 1;
      return `life ${builds}`;
    }),
    probe: vi.fn(async () => {}),
    onFailed: vi.fn(),
    onRebuilt: vi.fn(),
    discard: vi.fn(),
    clock,
    random,
    ...overrides,
  };
  return { clock, fails, options };
}

it('goes back to what the disk has when a write failed, and says so before and after', async () => {
  const { clock, fails, options } = setUp();
  const state = await createRebuildable(options);
  expect(options.probe).not.toHaveBeenCalled();
  fails[0]?.(new Error('disk full'));
  expect(state.failure()?.message).toBe('disk full');
  expect(options.onFailed).toHaveBeenCalledTimes(1);
  expect(state.current()).toBe('life 1');
  await clock.advance(1);
  expect(state.current()).toBe('life 2');
  expect(state.failure()).toBeUndefined();
  expect(options.onRebuilt).toHaveBeenCalledWith('life 2');
});

it('does not come back before the disk can be written, however often that takes', async () => {
  let isFull = true;
  const probe = vi.fn(async () => {
    if (isFull) throw new Error('still full');
  });
  const { clock, fails, options } = setUp({ probe });
  const state = await createRebuildable(options);
  fails[0]?.(new Error('disk full'));
  await clock.advance(60_000);
  expect(state.current()).toBe('life 1');
  expect(options.build).toHaveBeenCalledTimes(1);
  expect(options.onFailed).toHaveBeenCalledTimes(1);
  // Backoff, not a storm: 500 ms doubling up to 10 s.
  expect(probe.mock.calls.length).toBeLessThan(15);
  isFull = false;
  await clock.advance(10_000);
  expect(state.current()).toBe('life 2');
});

it('takes one failure per life: what an earlier one had under way says nothing new', async () => {
  const { clock, fails, options } = setUp();
  const state = await createRebuildable(options);
  fails[0]?.(new Error('first'));
  fails[0]?.(new Error('same life again'));
  await clock.advance(1);
  fails[0]?.(new Error('late news of the first life'));
  expect(options.onFailed).toHaveBeenCalledTimes(1);
  expect(state.failure()).toBeUndefined();
  fails[1]?.(new Error('second life'));
  await clock.advance(1);
  expect(state.current()).toBe('life 3');
});

it('rejects when the first cannot be made', async () => {
  const { options } = setUp({
    build: async () => {
      throw new Error('no such disk');
    },
  });
  await expect(createRebuildable(options)).rejects.toThrow('no such disk');
});

it('gives up at stop, also what is made at that very moment', async () => {
  let finish: (life: string) => void = () => {};
  let builds = 0;
  const build = async (fail: (error: Error) => void): Promise<string> => {
    builds += 1;
    fails.push(fail);
    if (builds === 1) return 'life 1';
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  const { clock, fails, options } = setUp({ build });
  const state = await createRebuildable(options);
  fails[0]?.(new Error('disk full'));
  await clock.advance(1);
  state.stop();
  state.stop();
  finish('life 2');
  await clock.advance(20_000);
  const { calls } = (options.discard as Mock).mock;
  expect(calls.map(([life]) => life)).toEqual(['life 1', 'life 2']);
  expect(options.onRebuilt).not.toHaveBeenCalled();
  expect(builds).toBe(2);
});
