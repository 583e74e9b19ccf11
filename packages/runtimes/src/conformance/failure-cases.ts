import { OakestraError } from '@oakestra/contracts';
import { expect, it } from 'vitest';
import type { World } from './world.ts';

/** Faults of specifications and of callers end in errors that tell what to do. */
export function failureCases(world: () => World): void {
  it('says which command does not exist', async () => {
    const { runtime, backend, image, spec } = world();
    const made = spec(backend.programs.missing);
    const failure = await startOf(
      () => runtime.create(made, image),
      () => runtime.start(made.id),
    );
    expect(failure).toMatchObject({ code: 'command-not-found', kind: 'invalid' });
    expect(failure.message).toContain(backend.programs.missing[0]);
    await runtime.remove(made.id);
    expect(await backend.leftovers()).toEqual([]);
  });

  it('recognises an instance that ran out of memory', async () => {
    const { runtime, backend, run, exitOf } = world();
    if (!runtime.capabilities.enforcesLimits) return;
    const { id } = await run(backend.programs.hungry);
    const exit = await exitOf(id);
    expect(exit).toMatchObject({ code: 137, signal: 'SIGKILL', isOutOfMemory: true });
    expect((await runtime.list())[0]?.state).toMatchObject({ kind: 'exited', exit: { isOutOfMemory: true } });
  });

  it('does not know instances that were never created', async () => {
    const { runtime } = world();
    const id = 'shop.live.never.live.instance.0';
    const unknown = { code: 'instance-not-found', kind: 'not-found' };
    await expect(runtime.start(id)).rejects.toMatchObject(unknown);
    await expect(runtime.signal(id, 'SIGTERM')).rejects.toMatchObject(unknown);
    await expect(runtime.relabel(id, {})).rejects.toMatchObject(unknown);
    expect(await runtime.stats(id)).toBeUndefined();
  });

  it('refuses words that are no signals', async () => {
    const { runtime, backend, run } = world();
    const { id } = await run(backend.programs.graceful);
    await expect(runtime.signal(id, 'PLEASE')).rejects.toMatchObject({ code: 'signal-unknown' });
  });

  it('does not replace what runs by something else', async () => {
    const { runtime, backend, image, run } = world();
    const made = await run(backend.programs.graceful);
    const other = { ...made, command: backend.programs.stubborn };
    await expect(runtime.create(other, image)).rejects.toMatchObject({ code: 'instance-exists' });
    expect((await runtime.list())[0]?.state.kind).toBe('running');
  });

  it('replaces a leftover that does not run', async () => {
    const { runtime, backend, image, spec } = world();
    const made = spec(backend.programs.ends(3));
    await runtime.create(made, image);
    await runtime.create({ ...made, command: backend.programs.graceful }, image);
    await runtime.start(made.id);
    expect((await runtime.list())[0]?.state.kind).toBe('running');
  });
}

/** A runtime may notice when it creates or when it starts. */
async function startOf(...steps: readonly (() => Promise<unknown>)[]): Promise<OakestraError> {
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      if (error instanceof OakestraError) return error;
      throw error;
    }
  }
  throw new Error('it started');
}
