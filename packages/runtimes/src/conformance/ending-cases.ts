import { expect, it } from 'vitest';
import type { World } from './world.ts';

/** From a running process to nothing. */
export function endingCases(world: () => World): void {
  it('reports the code of a program that ends by itself, once, and lists it', async () => {
    const { runtime, backend, events, run, exitOf } = world();
    const { id } = await run(backend.programs.ends(7));
    const exit = await exitOf(id);
    expect(exit).toEqual({ code: 7, isOutOfMemory: false, atMs: exit.atMs });
    expect(Math.abs(exit.atMs - Date.now())).toBeLessThan(60_000);
    const [listed] = await runtime.list();
    expect(listed?.state).toEqual({ kind: 'exited', exit: { ...exit, atMs: expect.any(Number) } });
    expect(events.filter((event) => event.kind === 'exited' && event.id === id)).toHaveLength(1);
  });

  it('does not run again what has ended', async () => {
    const { runtime, backend, image, run, exitOf } = world();
    const made = await run(backend.programs.ends(0));
    await exitOf(made.id);
    await runtime.create(made, image);
    await runtime.start(made.id);
    expect((await runtime.list())[0]?.state.kind).toBe('exited');
  });

  it('sends signals and names the one that ended the program', async () => {
    const { runtime, backend, run, exitOf } = world();
    const { id } = await run(backend.programs.stubborn);
    await runtime.signal(id, 'SIGKILL');
    expect(await exitOf(id)).toMatchObject({ code: 137, signal: 'SIGKILL', isOutOfMemory: false });
    await expect(runtime.signal(id, 'SIGTERM')).rejects.toMatchObject({ code: 'instance-not-running' });
  });

  it('stops with the stop signal of the image', async () => {
    const { runtime, backend, run, exitOf } = world();
    const { id } = await run(backend.programs.graceful);
    await runtime.stop(id, { graceMs: 20_000 });
    expect((await runtime.list())[0]?.state.kind).toBe('exited');
    expect(await exitOf(id)).toMatchObject({ code: 0, isOutOfMemory: false });
    await runtime.stop(id, { graceMs: 20_000 });
  });

  it('kills what does not stop within its grace', async () => {
    const { runtime, backend, run, exitOf } = world();
    const { id } = await run(backend.programs.stubborn);
    const beganMs = performance.now();
    await runtime.stop(id, { graceMs: 300 });
    // Timers may fire a little early.
    expect(performance.now() - beganMs).toBeGreaterThan(290);
    expect(await exitOf(id)).toMatchObject({ code: 137, signal: 'SIGKILL', isOutOfMemory: false });
  });

  it('kills at once without grace', async () => {
    const { runtime, backend, run, exitOf } = world();
    const { id } = await run(backend.programs.graceful);
    await runtime.stop(id, { graceMs: 0 });
    expect(await exitOf(id)).toMatchObject({ code: 137, signal: 'SIGKILL' });
  });

  it('stops and removes what was never started', async () => {
    const { runtime, backend, image, spec } = world();
    const made = spec(backend.programs.graceful);
    await runtime.create(made, image);
    await runtime.stop(made.id, { graceMs: 20_000 });
    await runtime.remove(made.id);
    expect(await runtime.list()).toEqual([]);
  });

  it('removes what still runs, and is content when it is gone already', async () => {
    const { runtime, backend, run } = world();
    const { id } = await run(backend.programs.stubborn);
    await runtime.remove(id);
    expect(await runtime.list()).toEqual([]);
    expect(await backend.leftovers()).toEqual([]);
    await runtime.remove(id);
    await runtime.stop(id, { graceMs: 1_000 });
    await runtime.remove('shop.live.never.live.instance.0');
  });

  it('lets an identifier be used again after removal', async () => {
    const { runtime, backend, image, run } = world();
    const made = await run(backend.programs.graceful);
    await runtime.remove(made.id);
    const again = { ...made, command: backend.programs.stubborn };
    await runtime.create(again, image);
    const { pid } = await runtime.start(again.id);
    expect(await runtime.list()).toEqual([
      { id: made.id, labels: made.labels, state: { kind: 'running', pid } },
    ]);
  });
}
