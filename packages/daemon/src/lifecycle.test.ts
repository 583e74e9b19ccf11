import { describe, expect, it } from 'vitest';
import { createLogger } from './json-logger.ts';
import { createLifecycle, type LifecyclePart } from './lifecycle.ts';
import { createManualClock } from './manual-clock.ts';

function world() {
  const clock = createManualClock();
  const events: string[] = [];
  const lines: string[] = [];
  const logger = createLogger({
    format: 'json',
    output: { write: (line) => lines.push(line) },
    nowMs: clock.nowMs,
  });
  const lifecycle = createLifecycle({ logger, clock });
  const part = (name: string, stopWork: () => Promise<void> | void = () => {}): LifecyclePart => ({
    async start() {
      events.push(`+${name}`);
      return async () => {
        await stopWork();
        events.push(`-${name}`);
      };
    },
  });
  const add = (name: string, stopWork?: () => Promise<void> | void) =>
    lifecycle.add(name, part(name, stopWork));
  return { clock, events, lines, lifecycle, add };
}

const forever = () => new Promise<void>(() => {});

describe('createLifecycle', () => {
  it('starts in order and stops in reverse', async () => {
    const { lifecycle, events, add } = world();
    for (const name of ['a', 'b', 'c']) add(name);
    lifecycle.add('without a stop', { start() {} });
    await lifecycle.start();
    const report = await lifecycle.stop('test');
    expect(events).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
    expect(report).toEqual({ reason: 'test', abandoned: [], failed: [] });
  });

  it('stops in reverse what it had started when a start fails, and throws the failure', async () => {
    const { lifecycle, events, add } = world();
    add('a');
    add('b');
    lifecycle.add('broken', {
      start() {
        throw new Error('port taken');
      },
    });
    add('never');
    await expect(lifecycle.start()).rejects.toThrow('port taken');
    expect(events).toEqual(['+a', '+b', '-b', '-a']);
    await expect(lifecycle.stop('again')).resolves.toMatchObject({ reason: 'the start failed' });
  });

  it('stops once however often it is asked', async () => {
    const { lifecycle, events, add } = world();
    add('a');
    await lifecycle.start();
    const reports = await Promise.all([lifecycle.stop('first'), lifecycle.stop('second')]);
    expect(reports.map((report) => report.reason)).toEqual(['first', 'first']);
    expect(events).toEqual(['+a', '-a']);
  });

  it('goes on when a stop fails, and says which', async () => {
    const { lifecycle, events, add, lines } = world();
    add('a');
    add('b', () => {
      throw new Error('cannot close');
    });
    await lifecycle.start();
    expect(await lifecycle.stop('test')).toMatchObject({ failed: ['b'], abandoned: [] });
    expect(events).toContain('-a');
    expect(lines.join('')).toContain('cannot close');
  });

  it('leaves a part behind that does not stop in its time, and gives the others theirs', async () => {
    const { lifecycle, clock, events, add, lines } = world();
    add('a');
    add('hanging', forever);
    await lifecycle.start();
    const stopped = lifecycle.stop('test');
    await clock.advance(2499);
    expect(events).not.toContain('-a');
    await clock.advance(1);
    expect(await stopped).toMatchObject({ abandoned: ['hanging'] });
    expect(events).toContain('-a');
    expect(lines.join('')).toContain('"abandoned":["hanging"]');
  });

  it('returns after its overall time with the names of all that remain', async () => {
    const { lifecycle, clock, events, add } = world();
    add('a');
    for (const name of ['x', 'y', 'z']) add(name, forever);
    await lifecycle.start();
    const stopped = lifecycle.stop('test');
    await clock.advance(5000);
    expect(await stopped).toMatchObject({ abandoned: ['z', 'y', 'x', 'a'] });
    expect(events).not.toContain('-a');
  });

  it('respects the time that a part was given, and tells it when that is over', async () => {
    const { lifecycle, clock } = world();
    let wasTold = false;
    lifecycle.add(
      'x',
      {
        start: () => (signal: AbortSignal) => {
          signal.addEventListener('abort', () => {
            wasTold = true;
          });
          return forever();
        },
      },
      { stopTimeoutMs: 100 },
    );
    await lifecycle.start();
    const stopped = lifecycle.stop('test');
    await clock.advance(100);
    expect(await stopped).toMatchObject({ abandoned: ['x'] });
    expect(wasTold).toBe(true);
  });

  it('interrupts a start, stops what runs, and starts nothing more', async () => {
    const { lifecycle, events, add } = world();
    add('a');
    lifecycle.add('slow', {
      start: (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gave up')))),
    });
    add('never');
    const started = expect(lifecycle.start()).rejects.toMatchObject({ code: 'start-interrupted' });
    await Promise.resolve();
    await lifecycle.stop('SIGTERM');
    await started;
    expect(events).toEqual(['+a', '-a']);
  });

  it('stops a part that became ready only after the stop', async () => {
    const { lifecycle, clock, events, add } = world();
    add('a');
    let finishStart = () => {};
    lifecycle.add('late', {
      start: () =>
        new Promise((resolve) => {
          finishStart = () => resolve(() => void events.push('-late'));
        }),
    });
    const started = expect(lifecycle.start()).rejects.toMatchObject({ code: 'start-interrupted' });
    await clock.advance(0);
    const stopped = lifecycle.stop('SIGTERM');
    await clock.advance(2500);
    await stopped;
    expect(events).toEqual(['+a', '-a']);
    finishStart();
    await started;
    expect(events).toEqual(['+a', '-a', '-late']);
  });

  it('starts nothing after a stop, not twice, and takes no late parts', async () => {
    const stopped = world();
    stopped.add('a');
    await stopped.lifecycle.stop('early');
    await expect(stopped.lifecycle.start()).rejects.toMatchObject({ code: 'start-interrupted' });
    expect(stopped.events).toEqual([]);
    const started = world();
    await started.lifecycle.start();
    await expect(started.lifecycle.start()).rejects.toThrow('only once');
    expect(() => started.add('late')).toThrow('after the start');
  });
});
