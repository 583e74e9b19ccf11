import { readFile } from 'node:fs/promises';
import { parseMemoryInfo } from '@oakestra/host';

export interface MemoryUsage {
  readonly memoryTotalMib: number;
  readonly memoryAvailableMib: number;
  /** Used share, 0 to 100. What programs can have without swapping counts as free. */
  readonly memoryPercent: number;
}

/** Shown when nothing can be measured: such a host should not attract work (node-engine 6). */
const UNKNOWN: MemoryUsage = { memoryTotalMib: 0, memoryAvailableMib: 0, memoryPercent: 100 };

export async function readMemory(readInfo = () => readFile('/proc/meminfo', 'utf8')): Promise<MemoryUsage> {
  const info = parseMemoryInfo(await readInfo().catch(() => ''));
  if (info === undefined || info.totalMib === 0) return UNKNOWN;
  return {
    memoryTotalMib: info.totalMib,
    memoryAvailableMib: info.availableMib,
    memoryPercent: (100 * (info.totalMib - info.availableMib)) / info.totalMib,
  };
}
