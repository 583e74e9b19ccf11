import { describe, expect, it } from 'vitest';
import { createConfigCache } from './config-cache.ts';
import type { UnpackedImage } from './local-image.ts';
import { createProgressSum } from './pull-progress.ts';
import { createSharedWork } from './shared-work.ts';
import { createSlots } from './slots.ts';

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

describe('shared work', () => {
  it('is done once for all who want it at the same time, and again later', async () => {
    const shared = createSharedWork<number, string>();
    const work = deferred<string>();
    const heard: number[] = [];
    let starts = 0;
    const start = (_: AbortSignal, tell: (progress: number) => void) => {
      starts++;
      queueMicrotask(() => tell(7));
      return work.promise;
    };
    const onProgress = (progress: number) => heard.push(progress);
    const both = [
      shared.join('a', { signal: never, onProgress, start }),
      shared.join('a', { signal: never, onProgress, start }),
    ];
    await turn();
    work.resolve('done');
    expect(await Promise.all(both)).toEqual(['done', 'done']);
    expect(starts).toBe(1);
    expect(heard).toEqual([7, 7]);
    await shared.join('a', { signal: never, start });
    expect(starts).toBe(2);
  });

  it('goes on when one caller leaves, and ends when the last one leaves', async () => {
    const shared = createSharedWork<number, string>();
    const work = deferred<string>();
    let workSignal = never;
    const start = (signal: AbortSignal) => {
      workSignal = signal;
      return work.promise;
    };
    const [first, second] = [new AbortController(), new AbortController()];
    const one = shared.join('a', { signal: first.signal, start });
    const two = shared.join('a', { signal: second.signal, start });
    first.abort(new Error('first left'));
    await expect(one).rejects.toThrow('first left');
    expect(workSignal.aborted).toBe(false);

    second.abort(new Error('second left'));
    let isOver = false;
    const outcome = two.catch((error: unknown) => {
      isOver = true;
      return error;
    });
    await turn();
    expect(workSignal.aborted).toBe(true);
    expect(isOver).toBe(false);
    work.reject(new Error('cleaned up'));
    expect(await outcome).toMatchObject({ message: 'second left' });
  });

  it('starts anew for who comes while the old one is being given up', async () => {
    const shared = createSharedWork<number, string>();
    const [old, fresh] = [deferred<string>(), deferred<string>()];
    const controller = new AbortController();
    const leaving = shared
      .join('a', { signal: controller.signal, start: () => old.promise })
      .catch(() => 'left');
    controller.abort(new Error('not needed'));
    await turn();
    const joined = shared.join('a', { signal: never, start: () => fresh.promise });
    old.reject(new Error('aborted'));
    fresh.resolve('fresh');
    expect(await joined).toBe('fresh');
    expect(await leaving).toBe('left');
  });

  it('reports its failure to everybody', async () => {
    const shared = createSharedWork<number, string>();
    const start = () => Promise.reject(new Error('no'));
    await expect(shared.join('a', { signal: never, start })).rejects.toThrow('no');
  });
});

describe('slots', () => {
  it('let as many run as there are, and the next in order', async () => {
    const slots = createSlots(2);
    const works = [deferred<void>(), deferred<void>(), deferred<void>(), deferred<void>()];
    const started: number[] = [];
    const runs = works.map((work, i) =>
      slots.run(() => {
        started.push(i);
        return work.promise;
      }, never),
    );
    await turn();
    expect(started).toEqual([0, 1]);
    works[1]?.reject(new Error('failed'));
    await expect(runs[1]).rejects.toThrow('failed');
    await turn();
    expect(started).toEqual([0, 1, 2]);
    for (const work of works) work.resolve();
    await Promise.allSettled(runs);
    expect(started).toEqual([0, 1, 2, 3]);
  });

  it('are not taken by who gave up waiting', async () => {
    const slots = createSlots(1);
    const work = deferred<void>();
    const first = slots.run(() => work.promise, never);
    const controller = new AbortController();
    const second = slots.run(() => Promise.resolve(), controller.signal);
    controller.abort(new Error('gave up'));
    await expect(second).rejects.toThrow('gave up');
    work.resolve();
    await first;
    expect(await slots.run(() => Promise.resolve('third'), never)).toBe('third');
  });
});

describe('progress', () => {
  it('sums up parts and never goes back', () => {
    const told: string[] = [];
    const sum = createProgressSum('downloading', ({ doneBytes, totalBytes }) =>
      told.push(`${doneBytes}/${totalBytes}`),
    );
    sum.expect('a', 10);
    sum.expect('b', 20);
    sum.expect('a', 10);
    sum.report('a', 4);
    sum.report('b', 20);
    sum.report('a', 2);
    sum.report('a', 99);
    sum.report('unknown', 5);
    expect(told).toEqual(['4/30', '24/30', '30/30']);
  });
});

describe('config cache', () => {
  it('forgets what was not used for longest', () => {
    const cache = createConfigCache(2);
    const image = (chainId: string) => ({ chainId }) as UnpackedImage;
    cache.set('a', image('1'));
    cache.set('b', image('2'));
    cache.get('a');
    cache.set('c', image('3'));
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([image('1'), undefined, image('3')]);
  });
});
