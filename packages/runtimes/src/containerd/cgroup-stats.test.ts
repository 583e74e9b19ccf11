import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  type CgroupMounts,
  isUnified,
  parseCgroupMounts,
  parseMemoryLimit,
  probeCgroups,
  readCgroupProcesses,
  readCgroupUsage,
  readOomKills,
  removeCgroup,
  workingSetBytes,
} from './cgroup-stats.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oak-cgroup-'));
});
afterEach(() => rm(root, { recursive: true }));

async function files(directory: string, contents: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(root, directory), { recursive: true });
  for (const [name, text] of Object.entries(contents)) await writeFile(join(root, directory, name), text);
}
const unified = (): CgroupMounts => ({ unified: root, byController: new Map() });
const perController = (): CgroupMounts => ({
  unified: join(root, 'unified'),
  byController: new Map(['memory', 'cpu', 'cpuacct'].map((name) => [name, join(root, name)])),
});

it('tells version 1, version 2 and a mixture from the mounts', () => {
  const second = parseCgroupMounts('cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\nproc /proc proc rw 0 0\n');
  expect(second.unified).toBe('/sys/fs/cgroup');
  expect(isUnified(second)).toBe(true);
  const hybrid = parseCgroupMounts(
    [
      'tmpfs /sys/fs/cgroup tmpfs rw 0 0',
      'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0',
      'cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0',
      'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
    ].join('\n'),
  );
  expect(isUnified(hybrid)).toBe(false);
  expect(hybrid.byController.get('cpuacct')).toBe('/sys/fs/cgroup/cpu,cpuacct');
  expect(isUnified(parseCgroupMounts(''))).toBe(false);
});

it('reads limits and working sets', () => {
  expect(parseMemoryLimit('67108864\n')).toBe(67_108_864);
  expect(parseMemoryLimit('max\n')).toBe(0);
  expect(parseMemoryLimit('9223372036854771712\n')).toBe(0);
  expect(workingSetBytes('1000\n', 'anon 1\ninactive_file 400\n', 'inactive_file')).toBe(600);
  expect(workingSetBytes('100\n', 'inactive_file 400\n', 'inactive_file')).toBe(0);
});

it('measures version 2', async () => {
  await files('oakestra/a', {
    'cpu.stat': 'usage_usec 2500\nuser_usec 1000\n',
    'memory.current': '5000\n',
    'memory.stat': 'anon 1\ninactive_file 1000\n',
    'memory.max': 'max\n',
    'memory.events': 'low 0\noom 3\noom_kill 2\n',
    'cgroup.procs': '12\n0\n34\n',
  });
  expect(await readCgroupUsage(unified(), '/oakestra/a')).toEqual({
    cpuNanos: 2_500_000,
    memoryBytes: 4_000,
    memoryLimitBytes: 0,
  });
  expect(await readOomKills(unified(), '/oakestra/a')).toBe(2);
  expect(await readCgroupProcesses(unified(), '/oakestra/a')).toEqual([12, 34]);
});

it('measures version 1', async () => {
  await files('cpuacct/oakestra/a', { 'cpuacct.usage': '123456\n' });
  await files('memory/oakestra/a', {
    'memory.usage_in_bytes': '5000\n',
    'memory.stat': 'inactive_file 1\ntotal_inactive_file 2000\n',
    'memory.limit_in_bytes': '8000\n',
    'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    'cgroup.procs': '',
  });
  expect(await readCgroupUsage(perController(), '/oakestra/a')).toEqual({
    cpuNanos: 123_456,
    memoryBytes: 3_000,
    memoryLimitBytes: 8_000,
  });
  expect(await readOomKills(perController(), '/oakestra/a')).toBe(1);
  expect(await readCgroupProcesses(perController(), '/oakestra/a')).toEqual([]);
});

it('says nothing of what is gone', async () => {
  for (const mounts of [unified(), perController()]) {
    expect(await readCgroupUsage(mounts, '/oakestra/gone')).toBeUndefined();
    expect(await readOomKills(mounts, '/oakestra/gone')).toBe(0);
    expect(await readCgroupProcesses(mounts, '/oakestra/gone')).toEqual([]);
    await removeCgroup(mounts, '/oakestra/gone');
  }
});

it('removes a cgroup with those below it, and only that', async () => {
  await files('memory/oakestra/a/b/c', {});
  await files('cpu/oakestra/a', {});
  await files('cpu/oakestra/other', {});
  await removeCgroup(perController(), '/oakestra/a');
  expect(await readdir(join(root, 'memory/oakestra'))).toEqual([]);
  expect(await readdir(join(root, 'cpu/oakestra'))).toEqual(['other']);
});

it('limits swap only where the kernel can', async () => {
  await files('memory', {});
  expect(await probeCgroups(perController())).toEqual({ isUnified: false, limitsSwap: false });
  await files('memory', { 'memory.memsw.limit_in_bytes': '' });
  expect(await probeCgroups(perController())).toEqual({ isUnified: false, limitsSwap: true });
  expect(await probeCgroups(unified())).toEqual({ isUnified: true, limitsSwap: false });
  await files('system.slice', { 'memory.swap.max': '' });
  expect(await probeCgroups(unified())).toEqual({ isUnified: true, limitsSwap: true });
});
