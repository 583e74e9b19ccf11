import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the kernel enforces for a process. */
export interface Limits {
  readonly memoryBytes: number;
  readonly cores: number;
}

/** Reads the limits of the control group of a process, on version 1, hybrid and version 2. */
export function readLimits(pid: number): Limits {
  const memory = groupFolder(pid, 'memory');
  const cpu = groupFolder(pid, 'cpu');
  if (memory.isUnified) {
    const [quota = '', period = ''] = read(cpu.folder, 'cpu.max').split(' ');
    return { memoryBytes: Number(read(memory.folder, 'memory.max')), cores: Number(quota) / Number(period) };
  }
  return {
    memoryBytes: Number(read(memory.folder, 'memory.limit_in_bytes')),
    cores: Number(read(cpu.folder, 'cpu.cfs_quota_us')) / Number(read(cpu.folder, 'cpu.cfs_period_us')),
  };
}

function groupFolder(
  pid: number,
  controller: string,
): { readonly folder: string; readonly isUnified: boolean } {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(':'));
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' - '))
    .map(([place = '', rest = '']) => ({
      folder: place.split(' ')[4] ?? '',
      kind: rest.split(' ')[0],
      options: rest,
    }));
  const own = groups.find(([, controllers = '']) => controllers.split(',').includes(controller));
  const mount = mounts.find(
    ({ kind, options }) => kind === 'cgroup' && (options.split(' ')[2] ?? '').split(',').includes(controller),
  );
  if (own !== undefined && mount !== undefined) {
    return { folder: join(mount.folder, own[2] ?? ''), isUnified: false };
  }
  const unified = mounts.find(({ kind }) => kind === 'cgroup2');
  const path = groups.find(([number]) => number === '0')?.[2];
  if (unified === undefined || path === undefined)
    throw new Error(`process ${pid} has no ${controller} group`);
  return { folder: join(unified.folder, path), isUnified: true };
}

const read = (folder: string, file: string): string => readFileSync(join(folder, file), 'utf8').trim();
