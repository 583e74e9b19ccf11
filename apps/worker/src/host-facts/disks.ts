import { readFile } from 'node:fs/promises';
import { type Mount, parseMounts, readDiskUsage } from '@oakestra/host';

export interface DiskFacts {
  /** Used share of the root file system, 0 to 100. */
  readonly rootUsedPercent: number;
  /** All mounts, virtual ones included, except those of containers. */
  readonly mounts: readonly Mount[];
}

/** Containers come and go; their mounts say nothing about the host. */
const OF_CONTAINERS = /^\/(run|var\/lib)\/(containerd|docker)\/|^\/run\/netns\//;

export async function readDisks(): Promise<DiskFacts> {
  const [usage, mountsText] = await Promise.all([
    readDiskUsage('/').catch(() => undefined),
    readFile('/proc/self/mounts', 'utf8').catch(() => ''),
  ]);
  return { rootUsedPercent: usage?.usedPercent ?? 100, mounts: hostMounts(mountsText) };
}

/** The mounts in the text of `/proc/mounts` that belong to the host itself. */
export function hostMounts(text: string): Mount[] {
  return parseMounts(text).filter(({ mountpoint }) => !OF_CONTAINERS.test(mountpoint));
}
