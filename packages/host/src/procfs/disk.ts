import { statfs } from 'node:fs/promises';

export interface DiskUsage {
  readonly totalBytes: number;
  /** What an ordinary user can still write. */
  readonly availableBytes: number;
  /** As `df` computes it, 0 to 100: reserved blocks count neither as used nor as available. */
  readonly usedPercent: number;
}

/** Figures of a file system by its counts of blocks. */
export function diskUsageOf(counts: {
  readonly bsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
}): DiskUsage {
  const usedBlocks = counts.blocks - counts.bfree;
  const reachableBlocks = usedBlocks + counts.bavail;
  return {
    totalBytes: counts.blocks * counts.bsize,
    availableBytes: counts.bavail * counts.bsize,
    usedPercent: reachableBlocks === 0 ? 0 : (100 * usedBlocks) / reachableBlocks,
  };
}

/** Usage of the file system that holds `path`. */
export async function readDiskUsage(path: string): Promise<DiskUsage> {
  return diskUsageOf(await statfs(path));
}
