import { readFileSync } from 'node:fs';
import { readdir, readFile, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CgroupFeatures } from './oci-spec.ts';

/** Where the control groups of this host are mounted. */
export interface CgroupMounts {
  /** Version 2; present in hybrid set-ups, too, without controllers there. */
  readonly unified?: string;
  /** Version 1: directory by controller (`memory`, `cpuacct`, …). */
  readonly byController: ReadonlyMap<string, string>;
}

export interface CgroupUsage {
  readonly cpuNanos: number;
  readonly memoryBytes: number;
  /** 0: no limit. */
  readonly memoryLimitBytes: number;
}

/** Reads the text of /proc/self/mounts. */
export function parseCgroupMounts(text: string): CgroupMounts {
  const byController = new Map<string, string>();
  let unified: string | undefined;
  for (const line of text.split('\n')) {
    const [, target, type, options] = line.split(' ');
    if (target === undefined) continue;
    if (type === 'cgroup2') unified ??= target;
    if (type === 'cgroup') {
      for (const option of (options ?? '').split(',')) {
        if (!byController.has(option)) byController.set(option, target);
      }
    }
  }
  // The mount options are among the keys as well; they are never asked for.
  return { byController, ...(unified === undefined ? {} : { unified }) };
}

/** Is version 2 in charge, not only mounted beside version 1? */
export function isUnified(mounts: CgroupMounts): boolean {
  return (
    mounts.unified !== undefined && !mounts.byController.has('memory') && !mounts.byController.has('cpu')
  );
}

/** The value of `name` in lines of `name value`; 0 when it is missing. */
function statValue(text: string, name: string): number {
  for (const line of text.split('\n')) {
    const [key, value] = line.split(' ');
    if (key === name) return Number(value);
  }
  return 0;
}

/** Version 1 says "no limit" as a number near 2^63, version 2 as `max`. */
export function parseMemoryLimit(text: string): number {
  const value = Number(text.trim());
  return Number.isFinite(value) && value < 2 ** 60 ? value : 0;
}

/** Memory in use without file pages that the kernel would give up at once. */
export function workingSetBytes(usageText: string, statText: string, inactiveName: string): number {
  return Math.max(0, Number(usageText.trim()) - statValue(statText, inactiveName));
}

/** What the cgroup used so far; `undefined` when it does not exist (any more). */
export async function readCgroupUsage(
  mounts: CgroupMounts,
  cgroupPath: string,
): Promise<CgroupUsage | undefined> {
  try {
    return isUnified(mounts)
      ? readUnified(join(mounts.unified ?? '', cgroupPath))
      : readPerController(mounts, cgroupPath);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function readUnified(directory: string): CgroupUsage {
  return {
    cpuNanos: statValue(readNow(directory, 'cpu.stat'), 'usage_usec') * 1_000,
    memoryBytes: workingSetBytes(
      readNow(directory, 'memory.current'),
      readNow(directory, 'memory.stat'),
      'inactive_file',
    ),
    memoryLimitBytes: parseMemoryLimit(readNow(directory, 'memory.max')),
  };
}

function readPerController(mounts: CgroupMounts, cgroupPath: string): CgroupUsage {
  const directoryOf = (controller: string) => join(mounts.byController.get(controller) ?? '', cgroupPath);
  const memoryDirectory = directoryOf('memory');
  return {
    cpuNanos: Number(readNow(directoryOf('cpuacct'), 'cpuacct.usage').trim()),
    memoryBytes: workingSetBytes(
      readNow(memoryDirectory, 'memory.usage_in_bytes'),
      readNow(memoryDirectory, 'memory.stat'),
      'total_inactive_file',
    ),
    memoryLimitBytes: parseMemoryLimit(readNow(memoryDirectory, 'memory.limit_in_bytes')),
  };
}

/** How many processes the kernel ended because this cgroup had no memory left; 0 when that cannot be read. */
export async function readOomKills(mounts: CgroupMounts, cgroupPath: string): Promise<number> {
  const [root, name] = isUnified(mounts)
    ? [mounts.unified, 'memory.events']
    : [mounts.byController.get('memory'), 'memory.oom_control'];
  if (root === undefined) return 0;
  return statValue(await readText(join(root, cgroupPath), name).catch(() => ''), 'oom_kill');
}

/** The processes in the cgroup, as this process numbers them; none when it does not exist. */
export async function readCgroupProcesses(
  mounts: CgroupMounts,
  cgroupPath: string,
): Promise<readonly number[]> {
  const root = isUnified(mounts) ? mounts.unified : mounts.byController.get('memory');
  if (root === undefined) return [];
  const text = await readText(join(root, cgroupPath), 'cgroup.procs').catch(() => '');
  // 0 stands for a process that this one cannot see.
  return text
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Removes the cgroup from every hierarchy, with the empty ones below it; fine when it is gone. */
export async function removeCgroup(mounts: CgroupMounts, cgroupPath: string): Promise<void> {
  const roots = new Set(mounts.byController.values());
  if (mounts.unified !== undefined) roots.add(mounts.unified);
  await Promise.all([...roots].map((root) => removeTree(join(root, cgroupPath))));
}

async function removeTree(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (isGone(error)) return;
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
    const below = entries.filter((entry) => entry.isDirectory());
    if (below.length === 0) throw error;
    for (const entry of below) await removeTree(join(directory, entry.name));
    await rmdir(directory);
  }
}

/** What limits of this host can be enforced with. */
export async function probeCgroups(mounts: CgroupMounts): Promise<CgroupFeatures> {
  if (!isUnified(mounts)) {
    const memory = mounts.byController.get('memory');
    const limitsSwap = memory !== undefined && (await exists(join(memory, 'memory.memsw.limit_in_bytes')));
    return { isUnified: false, limitsSwap };
  }
  // The root of version 2 has no such file: it has to be looked for one level deeper.
  const root = mounts.unified ?? '';
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isDirectory()).map((entry) => join(root, entry.name));
  const found = await Promise.all(files.map((directory) => exists(join(directory, 'memory.swap.max'))));
  return { isUnified: true, limitsSwap: found.includes(true) };
}

/** The cgroup mounts that this process sees. */
export async function readCgroupMounts(): Promise<CgroupMounts> {
  return parseCgroupMounts(await readFile('/proc/self/mounts', 'utf8'));
}

/**
 * Read again and again for every instance: the kernel answers from memory, and the way through the thread pool would
 * cost ten times what the answer does.
 */
function readNow(directory: string, name: string): string {
  return readFileSync(join(directory, name), 'utf8');
}

function readText(directory: string, name: string): Promise<string> {
  return readFile(join(directory, name), 'utf8');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  // A cgroup that is removed while it is read answers ENODEV.
  return code === 'ENOENT' || code === 'ENODEV';
}
