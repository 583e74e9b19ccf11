import { createManualClock } from '@oakestra/daemon';
import { describe, expect, it } from 'vitest';
import { createShortCache } from './short-cache.ts';

function setUp() {
  const clock = createManualClock();
  const cache = createShortCache<string>({ clock, keptMs: 1_000, mostKept: 2 });
  let loads = 0;
  let answer = 'old';
  const get = (key = 'a') =>
    cache.get(key, async () => {
      loads += 1;
      return answer;
    });
  return {
    ...{ clock, cache, get },
    loads: () => loads,
    change: (value: string) => {
      answer = value;
    },
  };
}

describe('what was read a moment ago', () => {
  it('is read once for a burst, and again after its time', async () => {
    const { clock, get, loads } = setUp();
    await Promise.all(Array.from({ length: 100 }, () => get()));
    expect(loads()).toBe(1);
    await clock.advance(999);
    await get();
    expect(loads()).toBe(1);
    await clock.advance(1);
    await get();
    expect(loads()).toBe(2);
  });

  it('is forgotten with a change, also when it is just being read', async () => {
    const { cache, get, change } = setUp();
    let finish: (value: string) => void = () => {};
    const slow = cache.get('a', () => new Promise<string>((resolve) => (finish = resolve)));
    change('new');
    cache.clear();
    finish('old');
    expect(await slow).toBe('old');
    expect(await get()).toBe('new');
  });

  it('is no failure', async () => {
    const { cache, get } = setUp();
    const failing = cache.get('a', async () => {
      throw new Error('disk');
    });
    await expect(failing).rejects.toThrow('disk');
    expect(await get()).toBe('old');
  });

  it('has a limit', async () => {
    const { get, loads } = setUp();
    for (const key of ['a', 'b', 'c', 'a']) await get(key);
    expect(loads()).toBe(4);
  });
});
