import { expect, it, vi } from 'vitest';
import { composedPart, type Teardown } from './composed-part.ts';
import type { Stop } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import { createManualClock } from './manual-clock.ts';

const never = new AbortController().signal;

function setUp(start: (teardown: Teardown) => Promise<void>) {
  const clock = createManualClock();
  const error = vi.fn();
  const logger = { error } as unknown as Logger;
  return { clock, error, part: composedPart({ logger, clock, start }) };
}

it('ends in reverse, and whatever fails or hangs keeps none of the others from ending', async () => {
  const ended: string[] = [];
  const { clock, error, part } = setUp(async (teardown) => {
    teardown.add('lock', () => void ended.push('lock'));
    teardown.add('store', async () => void ended.push('store'));
    teardown.add('broken', () => {
      throw new Error('no');
    });
    teardown.add('stuck', () => new Promise(() => {}), 700);
    teardown.add('server', () => void ended.push('server'));
  });
  const stop = (await part.start(never)) as Stop;
  const stopped = Promise.resolve(stop(never)).catch((thrown: Error) => thrown.message);
  await clock.advance(699);
  expect(ended).toEqual(['server']);
  await clock.advance(1);
  expect(await stopped).toBe('did not stop in order: stuck, broken');
  expect(ended).toEqual(['server', 'store', 'lock']);
  expect(error.mock.calls.map(([, fields]) => fields.part)).toEqual(['stuck', 'broken']);
});

it('ends what had started when the start fails, and tells the failure of the start', async () => {
  const ended: string[] = [];
  const { part } = setUp(async (teardown) => {
    teardown.add('first', () => void ended.push('first'));
    teardown.add('second', () => {
      ended.push('second');
      throw new Error('of the stop');
    });
    throw new Error('of the start');
  });
  await expect(part.start(never)).rejects.toThrow('of the start');
  expect(ended).toEqual(['second', 'first']);
});
