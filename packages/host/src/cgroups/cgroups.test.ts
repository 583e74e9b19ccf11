import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CgroupLayout, cgroupDirectories, detectCgroupLayout } from './layout.ts';
import { parseCgroupMembership } from './membership.ts';
import { removeCgroup } from './remove.ts';

const v2 =
  'cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0\n';
const v1 = `tmpfs /sys/fs/cgroup tmpfs ro,mode=755 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,nosuid,xattr,name=systemd 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
`;
const hybrid = `${v1}cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nsdelegate 0 0\n`;

describe('cgroup layout', () => {
  it('is v2 where one tree does everything', () => {
    const layout = detectCgroupLayout(v2);
    expect(layout).toEqual({ kind: 'v2', root: '/sys/fs/cgroup' });
    expect(cgroupDirectories(layout as CgroupLayout, '/oakestra/x')).toEqual(['/sys/fs/cgroup/oakestra/x']);
  });

  it('is v1 where each controller has a tree', () => {
    const layout = detectCgroupLayout(v1);
    expect(layout).toEqual({
      kind: 'v1',
      controllers: {
        'name=systemd': '/sys/fs/cgroup/systemd',
        cpu: '/sys/fs/cgroup/cpu,cpuacct',
        cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
        memory: '/sys/fs/cgroup/memory',
      },
    });
    expect(cgroupDirectories(layout as CgroupLayout, 'oakestra/')).toEqual([
      '/sys/fs/cgroup/systemd/oakestra',
      '/sys/fs/cgroup/cpu,cpuacct/oakestra',
      '/sys/fs/cgroup/memory/oakestra',
    ]);
  });

  it('is hybrid where both are mounted', () => {
    const layout = detectCgroupLayout(hybrid);
    expect(layout).toMatchObject({ kind: 'hybrid', unified: '/sys/fs/cgroup/unified' });
    expect(cgroupDirectories(layout as CgroupLayout, 'x')).toContain('/sys/fs/cgroup/unified/x');
  });

  it('is v2 also beside a tree of v1 that only names processes', () => {
    const named = 'cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n';
    expect(detectCgroupLayout(v2 + named)?.kind).toBe('v2');
  });

  it('is unknown without mounts', () => {
    expect(detectCgroupLayout('proc /proc proc rw 0 0\n')).toBeUndefined();
  });
});

describe('cgroup membership', () => {
  it('is read for all layouts, colons in paths included', () => {
    expect(parseCgroupMembership('0::/system.slice/a:b\n')).toEqual({ '': '/system.slice/a:b' });
    expect(parseCgroupMembership('5:cpu,cpuacct:/x\n2:name=systemd:/y\n0::/\n')).toEqual({
      cpu: '/x',
      cpuacct: '/x',
      'name=systemd': '/y',
      '': '/',
    });
  });
});

describe('removing a cgroup', () => {
  it('takes children first, in every tree, and accepts what is gone', async () => {
    const root = await mkdtemp(join(tmpdir(), 'cgroups-'));
    try {
      const layout: CgroupLayout = {
        kind: 'v1',
        controllers: { cpu: join(root, 'cpu'), memory: join(root, 'memory') },
      };
      await mkdir(join(root, 'cpu/oakestra/a/b'), { recursive: true });
      await mkdir(join(root, 'memory/other'), { recursive: true });
      await removeCgroup(layout, '/oakestra');
      expect(await readdir(join(root, 'cpu'))).toEqual([]);
      expect(await readdir(join(root, 'memory'))).toEqual(['other']);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it.each(['', '/', '//', '/a/../..'])('refuses "%s"', async (path) => {
    await expect(removeCgroup({ kind: 'v2', root: '/nowhere' }, path)).rejects.toThrow('not a cgroup');
  });
});
