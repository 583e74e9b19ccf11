import { expect, it } from 'vitest';
import type { RuntimeEvent } from '../runtime.ts';
import { eventually, type World } from './world.ts';

/** Instances belong to the host, not to the process that started them. */
export function identityCases(world: () => World): void {
  it('lets a new process of ours find and control what the first one started', async () => {
    const { backend, run } = world();
    const made = await run(backend.programs.graceful);
    const second = backend.open();
    try {
      const events: RuntimeEvent[] = [];
      second.subscribe((event) => events.push(event));
      await eventually('the second subscription', () => events.find(({ kind }) => kind === 'available'));
      const [listed] = await second.list();
      expect(listed).toMatchObject({ id: made.id, labels: made.labels, state: { kind: 'running' } });
      expect(await second.stats(made.id)).toMatchObject({ memoryBytes: expect.any(Number) });
      await second.stop(made.id, { graceMs: 20_000 });
      const exit = await eventually('the exit at the second one', () =>
        events.find((event) => event.kind === 'exited' && event.id === made.id),
      );
      expect(exit).toMatchObject({ exit: { code: 0 } });
      await second.remove(made.id);
      expect(await backend.leftovers()).toEqual([]);
    } finally {
      await second.close();
    }
  });

  it('lets a new process of ours start what the first one created', async () => {
    const { runtime, backend, image, spec } = world();
    const made = spec(backend.programs.graceful);
    await runtime.create(made, image);
    const second = backend.open();
    try {
      await second.create(made, image);
      const { pid } = await second.start(made.id);
      expect((await runtime.list())[0]?.state).toEqual({ kind: 'running', pid });
      expect(await runtime.start(made.id)).toEqual({ pid });
    } finally {
      await second.close();
    }
  });

  it('lets what runs go on when a process of ours closes', async () => {
    const { runtime, backend, image, spec } = world();
    const second = backend.open();
    const made = spec(backend.programs.graceful);
    await second.create(made, image);
    const { pid } = await second.start(made.id);
    await second.close();
    await second.close();
    await expect(second.list()).rejects.toMatchObject({ kind: 'unavailable' });
    expect((await runtime.list())[0]?.state).toEqual({ kind: 'running', pid });
  });

  it('keeps labels, and replaces them as a whole', async () => {
    const { runtime, backend, run } = world();
    const { id } = await run(backend.programs.graceful, { labels: { epoch: '1', service: 'shop' } });
    await runtime.relabel(id, { epoch: '2', cluster: 'north' });
    await runtime.relabel(id, { epoch: '2', cluster: 'north' });
    const second = backend.open();
    try {
      expect((await second.list())[0]?.labels).toEqual({ epoch: '2', cluster: 'north' });
      expect((await runtime.list())[0]?.state.kind).toBe('running');
      await second.stop(id, { graceMs: 20_000 });
    } finally {
      await second.close();
    }
  });

  it('tells every listener until it leaves', async () => {
    const { runtime, backend, run, exitOf } = world();
    const heard: string[] = [];
    const leave = runtime.subscribe((event) => heard.push(event.kind === 'exited' ? event.id : event.kind));
    const first = await run(backend.programs.ends(0));
    await eventually('the first end', () => (heard.includes(first.id) ? true : undefined));
    leave();
    leave();
    const second = await run(backend.programs.ends(0));
    await exitOf(second.id);
    expect(heard).not.toContain(second.id);
  });
}
