import { describe, expect, it } from 'vitest';
import {
  parseChildrenCpuMs,
  parseSmapsRollup,
  ratesBetween,
  readCounters,
  readMemory,
} from './process-usage.ts';

describe('what a process uses', () => {
  it('is read from the sums of its mappings', () => {
    const text = [
      '00400000-7ffd1000 ---p 00000000 00:00 0    [rollup]',
      'Rss:               53248 kB',
      'Pss:               20000 kB',
      'Private_Clean:      1024 kB',
      'Private_Dirty:      9216 kB',
    ].join('\n');
    expect(parseSmapsRollup(text)).toEqual({ residentMib: 52, privateMib: 10 });
  });

  it('counts the children that ended, whatever the name of the program', () => {
    const stat = '7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 50 60 3 4 20 0 11 0 1 2 3';
    expect(parseChildrenCpuMs(stat)).toBe(70);
  });

  it('is measured of this process', () => {
    const before = readCounters(process.pid);
    const untilMs = performance.now() + 60;
    while (performance.now() < untilMs) Math.sqrt(untilMs);
    const rates = ratesBetween(before, readCounters(process.pid));
    expect(rates.cpuPercent).toBeGreaterThan(10);
    expect(rates.writtenBytesPerMin).toBeGreaterThanOrEqual(0);
    const { residentMib, privateMib } = readMemory(process.pid);
    expect(privateMib).toBeGreaterThan(1);
    expect(residentMib).toBeGreaterThan(privateMib);
  });

  it('becomes rates per minute and percent of a core', () => {
    const before = { cpuMs: 100, writtenBytes: 1000, atMs: 0 };
    const after = { cpuMs: 400, writtenBytes: 3000, atMs: 30_000 };
    expect(ratesBetween(before, after)).toEqual({ cpuPercent: 1, writtenBytesPerMin: 4000 });
  });
});
