import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exitOf } from './instance-exit.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oak-exit-'));
  await mkdir(join(root, 'oakestra/shop'), { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

async function exit(
  status: number,
  about: { readonly kills?: number; readonly isStopping?: boolean; readonly ranOutOfMemory?: boolean } = {},
) {
  const { kills = 0, isStopping = false, ranOutOfMemory = false } = about;
  await writeFile(join(root, 'oakestra/shop/memory.events'), `oom_kill ${kills}\n`);
  const context = {
    cgroups: async () => ({
      mounts: { unified: root, byController: new Map<string, string>() },
      features: { isUnified: true, limitsSwap: true },
    }),
    cgroupPathOf: (containerId: string) => `/oakestra/${containerId}`,
  };
  return exitOf(context, { status, atMs: 5 }, { containerId: 'shop', isStopping, ranOutOfMemory });
}

it('tells codes from signals', async () => {
  expect(await exit(0)).toEqual({ code: 0, isOutOfMemory: false, atMs: 5 });
  expect(await exit(3)).toEqual({ code: 3, isOutOfMemory: false, atMs: 5 });
  expect(await exit(139)).toEqual({ code: 139, signal: 'SIGSEGV', isOutOfMemory: false, atMs: 5 });
});

it('believes the cgroup and the event when an instance was killed or failed', async () => {
  expect((await exit(137)).isOutOfMemory).toBe(false);
  expect((await exit(137, { kills: 1 })).isOutOfMemory).toBe(true);
  expect((await exit(137, { ranOutOfMemory: true })).isOutOfMemory).toBe(true);
  expect((await exit(1, { kills: 1 })).isOutOfMemory).toBe(true);
});

it('does not blame memory for what ended in order, by another signal or by us', async () => {
  expect((await exit(0, { kills: 1 })).isOutOfMemory).toBe(false);
  expect((await exit(143, { kills: 1, ranOutOfMemory: true })).isOutOfMemory).toBe(false);
  expect((await exit(137, { kills: 1, ranOutOfMemory: true, isStopping: true })).isOutOfMemory).toBe(false);
});
