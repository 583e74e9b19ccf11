import { describe, expect, it } from 'vitest';
import { measureRate } from './rate.ts';

describe('a rate', () => {
  it('is of so many turns, each done once and never more than allowed at a time', async () => {
    const turns: number[] = [];
    let running = 0;
    let most = 0;
    const { latenciesMs, perSecond } = await measureRate({
      ...{ concurrent: 3, times: 10 },
      async work(turn) {
        running += 1;
        most = Math.max(most, running);
        turns.push(turn);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
      },
    });
    expect(turns).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(most).toBe(3);
    expect(latenciesMs).toHaveLength(10);
    expect(perSecond).toBeGreaterThan(0);
  });

  it('is of a time', async () => {
    const { latenciesMs, perSecond } = await measureRate({
      ...{ concurrent: 1, durationMs: 50 },
      work: () => new Promise((resolve) => setTimeout(resolve, 5)),
    });
    expect(latenciesMs.length).toBeGreaterThan(1);
    // A turn takes 5 ms or longer.
    expect(perSecond).toBeLessThan(250);
  });

  it('fails with the work', async () => {
    const work = () => Promise.reject(new Error('broken'));
    await expect(measureRate({ concurrent: 2, times: 5, work })).rejects.toThrow('broken');
  });
});
