import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { cgroupDirectories, readCgroupLayout } from './layout.ts';
import { removeCgroup } from './remove.ts';

const path = `/oakestra-test-${process.pid}`;

async function layoutHere() {
  const layout = await readCgroupLayout();
  if (layout === undefined) throw new Error('no cgroups are mounted here');
  return layout;
}

describe('a cgroup of this machine', () => {
  afterEach(async () => removeCgroup(await layoutHere(), path));

  it('is removed once its last process has left, in all its trees', async () => {
    const layout = await layoutHere();
    const directories = cgroupDirectories(layout, `${path}/inner`);
    for (const directory of directories) await mkdir(directory, { recursive: true });
    const target = directories.find((directory) => !directory.includes('cpuset')) ?? '';
    const tenant = spawn('sleep', ['60']);
    await once(tenant, 'spawn');
    await writeFile(`${target}/cgroup.procs`, String(tenant.pid));

    await expect(removeCgroup(layout, path, { timeoutMs: 100 })).rejects.toThrow(/still has processes/);
    const removal = removeCgroup(layout, path);
    tenant.kill('SIGKILL');
    await removal;
    for (const directory of directories) await expect(stat(directory)).rejects.toThrow('ENOENT');
  });
});
