import { readFile } from 'node:fs/promises';
import { busyPercent, type CpuTimes, parseKernelStat } from '@oakestra/host';

export interface CpuUsage {
  /** Busy share of all processors since the reading before (the first time: since boot), 0 to 100. */
  readonly cpuPercent: number;
  /** Logical processors, whether busy or not. */
  readonly vcpus: number;
}

/** Shown when nothing can be measured: such a host should not attract work (node-engine 6). */
const UNKNOWN: CpuUsage = { cpuPercent: 100, vcpus: 0 };

/** A function that measures from one call to the next. Calls within one tick of the kernel repeat the figure. */
export function createCpuReader(readStat = () => readFile('/proc/stat', 'utf8')): () => Promise<CpuUsage> {
  let before: CpuTimes = { busyTicks: 0, totalTicks: 0 };
  let last = UNKNOWN;
  return async () => {
    const stat = parseKernelStat(await readStat().catch(() => ''));
    if (stat === undefined) return UNKNOWN;
    const cpuPercent = busyPercent(before, stat.cpu) ?? last.cpuPercent;
    before = stat.cpu;
    last = { cpuPercent, vcpus: stat.onlineProcessors };
    return last;
  };
}
