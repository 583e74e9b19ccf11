import { describe, expect, it } from 'vitest';
import { eventually } from './eventually.ts';

describe('eventually', () => {
  it('returns the first value that counts, also zero and the empty text', async () => {
    const answers = [undefined, null, false, 0];
    let calls = 0;
    const value = await eventually(() => answers[calls++], {
      timeoutMs: 1_000,
      describe: 'a number',
      intervalMs: 1,
    });
    expect(value).toBe(0);
    expect(calls).toBe(4);
    expect(await eventually(() => '', { timeoutMs: 1_000, describe: 'text' })).toBe('');
  });

  it('reports what the last check said', async () => {
    let calls = 0;
    const check = () => {
      calls++;
      throw new Error(`attempt ${calls} found nothing`);
    };
    const failed = await eventually(check, { timeoutMs: 30, describe: 'a miracle', intervalMs: 5 }).catch(
      (e) => e,
    );
    expect(failed).toMatchObject({ kind: 'timeout', code: 'condition-not-met' });
    expect(failed.message).toContain(`waited 30 ms for a miracle; last: attempt ${calls} found nothing`);
    expect(calls).toBeGreaterThan(1);
  });

  it('does not hang with a check that hangs', async () => {
    await expect(
      eventually(() => new Promise<boolean>(() => {}), { timeoutMs: 20, describe: 'an answer' }),
    ).rejects.toThrow('no check ended in time');
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const waiting = eventually(() => false, { timeoutMs: 60_000, describe: 'never', signal: stop.signal });
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});
