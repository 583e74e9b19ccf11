import { expect, it } from 'vitest';
import { eventually, type World } from './world.ts';

/** From an image to a running process. */
export function startCases(world: () => World): void {
  it('pins the image to its digest', () => {
    const { image } = world();
    expect(image.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(image.pinnedReference.endsWith(`@${image.digest}`)).toBe(true);
    expect(image.stopSignal).toMatch(/^SIG/);
  });

  it('creates an instance that does not run, then starts it', async () => {
    const { runtime, backend, image, spec } = world();
    const made = spec(backend.programs.graceful);
    await runtime.create(made, image);
    expect(await runtime.list()).toEqual([
      { id: made.id, labels: { epoch: '1' }, state: { kind: 'created' } },
    ]);
    const { pid } = await runtime.start(made.id);
    expect(pid).toBeGreaterThan(0);
    expect(await runtime.list()).toEqual([
      { id: made.id, labels: { epoch: '1' }, state: { kind: 'running', pid } },
    ]);
  });

  it('creates and starts once when told twice', async () => {
    const { runtime, backend, image, spec } = world();
    const made = spec(backend.programs.talkative('begin', 'note'));
    await runtime.create(made, image);
    await runtime.create(made, image);
    const first = await runtime.start(made.id);
    await runtime.create(made, image);
    expect(await runtime.start(made.id)).toEqual(first);
    const text = await eventually('its output', () => whenContaining(world(), made.logPath, 'begin'));
    expect(text.split('begin')).toHaveLength(2);
    expect(await runtime.list()).toHaveLength(1);
  });

  it('appends standard output and error to the log', async () => {
    const { run, backend } = world();
    const made = await run(backend.programs.talkative('to everybody', 'to operators'));
    await eventually('standard output', () => whenContaining(world(), made.logPath, 'to everybody\n'));
    await eventually('standard error', () => whenContaining(world(), made.logPath, 'to operators\n'));
  });

  it('starts many at once', async () => {
    const { runtime, backend, run } = world();
    const made = await Promise.all(Array.from({ length: 8 }, () => run(backend.programs.graceful)));
    const listed = await runtime.list();
    expect(listed.map(({ state }) => state.kind)).toEqual(made.map(() => 'running'));
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(made.map(({ id }) => id)));
    await Promise.all(made.map(({ id }) => runtime.remove(id)));
    expect(await runtime.list()).toEqual([]);
  });

  it('measures what runs, and nothing when it is gone', async () => {
    const { runtime, backend, run } = world();
    const { id } = await run(backend.programs.graceful);
    const stats = await eventually('memory in use', async () => {
      const measured = await runtime.stats(id);
      return measured !== undefined && measured.memoryBytes > 0 ? measured : undefined;
    });
    expect(stats.cpuNanos).toBeGreaterThanOrEqual(0);
    expect(stats.diskBytes).toBeGreaterThanOrEqual(0);
    if (runtime.capabilities.enforcesLimits) expect(stats.memoryLimitBytes).toBe(64 * 1024 * 1024);
    await runtime.remove(id);
    expect(await runtime.stats(id)).toBeUndefined();
  });
}

async function whenContaining(world: World, logPath: string, text: string): Promise<string | undefined> {
  const log = await world.backend.readLog(logPath);
  return log.includes(text) ? log : undefined;
}
