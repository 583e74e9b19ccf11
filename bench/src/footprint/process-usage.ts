import { readdirSync, readFileSync } from 'node:fs';

/** What a process occupies now. */
export interface ProcessMemory {
  /** Everything in memory, also what it shares with other processes, such as the program itself. */
  readonly residentMib: number;
  /** What would be free if it ended. */
  readonly privateMib: number;
}

/** Counters of a process since its start. */
export interface ProcessCounters {
  /** Processor time of its threads, and of the children that ended. */
  readonly cpuMs: number;
  /** Sent to the disk. */
  readonly writtenBytes: number;
  readonly atMs: number;
}

export interface ProcessRates {
  /** Of one core. */
  readonly cpuPercent: number;
  readonly writtenBytesPerMin: number;
}

const TICK_MS = 10;

export function readMemory(pid: number): ProcessMemory {
  return parseSmapsRollup(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
}

export function parseSmapsRollup(text: string): ProcessMemory {
  const kib = (field: string): number => Number(new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(text)?.[1]);
  return {
    residentMib: kib('Rss') / 1024,
    privateMib: (kib('Private_Clean') + kib('Private_Dirty')) / 1024,
  };
}

export function readCounters(pid: number): ProcessCounters {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [nanos = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(nanos) / 1e6;
  });
  const children = parseChildrenCpuMs(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const written = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
  return {
    cpuMs: threads.reduce((sum, ms) => sum + ms, children),
    writtenBytes: Number(written),
    atMs: performance.now(),
  };
}

/** From `/proc/<pid>/stat`, whose second field may hold anything, spaces and brackets included. */
export function parseChildrenCpuMs(stat: string): number {
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Fields 16 and 17 of the line; the slice begins with field 3.
  return (Number(afterName[13]) + Number(afterName[14])) * TICK_MS;
}

export function ratesBetween(before: ProcessCounters, after: ProcessCounters): ProcessRates {
  const elapsedMs = after.atMs - before.atMs;
  return {
    cpuPercent: ((after.cpuMs - before.cpuMs) / elapsedMs) * 100,
    writtenBytesPerMin: ((after.writtenBytes - before.writtenBytes) / elapsedMs) * 60_000,
  };
}
