/** Processor time since boot, in ticks. */
export interface CpuTimes {
  readonly busyTicks: number;
  readonly totalTicks: number;
}

export interface KernelStat {
  readonly cpu: CpuTimes;
  /** Logical processors that are switched on. */
  readonly onlineProcessors: number;
  /** Unix seconds. */
  readonly bootTimeSeconds: number;
}

/** Parses `/proc/stat`; undefined when it is not one. */
export function parseKernelStat(text: string): KernelStat | undefined {
  const line = /^cpu +(.+)$/m.exec(text)?.[1];
  if (line === undefined) return undefined;
  // user nice system idle iowait irq softirq steal guest guest_nice; guests are counted in user and nice already.
  const ticks = line.trim().split(/ +/).slice(0, 8).map(Number);
  const totalTicks = ticks.reduce((sum, value) => sum + value, 0);
  const idleTicks = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return {
    cpu: { busyTicks: totalTicks - idleTicks, totalTicks },
    onlineProcessors: text.match(/^cpu\d+ /gm)?.length ?? 0,
    bootTimeSeconds: Number(/^btime (\d+)$/m.exec(text)?.[1] ?? 0),
  };
}

/** Share of all processors that was busy between two readings, 0 to 100; undefined when no time passed. */
export function busyPercent(before: CpuTimes, now: CpuTimes): number | undefined {
  const totalTicks = now.totalTicks - before.totalTicks;
  if (totalTicks <= 0) return undefined;
  // The kernel corrects its idle time now and then, also downwards.
  return Math.min(100, Math.max(0, (100 * (now.busyTicks - before.busyTicks)) / totalTicks));
}
