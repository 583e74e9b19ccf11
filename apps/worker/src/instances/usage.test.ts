import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Usage } from '@oakestra/contracts';
import { createManualClock } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createUsageSampler, type UsageSampler } from './usage.ts';

const INTERVAL_MS = 10_000;
const key = `${'a'.repeat(24)}/0`;

describe('the usage of instances', () => {
  let directory: string;
  let logPath: string;
  let sampler: UsageSampler;
  let stats = { cpuNanos: 0, memoryBytes: 1e6, memoryLimitBytes: 0, diskBytes: 0 };
  let measured = 0;
  const reports: Usage[] = [];
  const clock = createManualClock();

  /** One interval later, when it has been measured. */
  const nextRound = async (): Promise<void> => {
    const before = measured;
    await vi.waitFor(async () => {
      await clock.advance(INTERVAL_MS);
      expect(measured).toBeGreaterThan(before);
    });
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'usage-'));
    logPath = join(directory, 'log');
    await writeFile(logPath, 'one\n');
    reports.length = 0;
    stats = { cpuNanos: 0, memoryBytes: 1e6, memoryLimitBytes: 0, diskBytes: 0 };
    sampler = createUsageSampler({
      runtime: {
        stats: async () => {
          measured += 1;
          return stats;
        },
      },
      clock,
      vcpus: 2,
      intervalMs: INTERVAL_MS,
      running: () => [{ key, runtimeId: 'a', logPath }],
      report: (usage) => reports.push(usage),
    });
    sampler.start();
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(1));
  });

  afterEach(async () => {
    sampler.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('is told once, with the end of the output', () => {
    expect(reports[0]?.rows).toEqual([{ key, cpuPercent: 0, memoryBytes: 1e6, diskBytes: 0, logs: 'one\n' }]);
  });

  it('is not told again while nothing notable happens', async () => {
    stats = { ...stats, memoryBytes: 1e6 + 1000 };
    for (let round = 0; round < 3; round += 1) await nextRound();
    expect(reports).toHaveLength(1);
  });

  it('comes with the new end of an output that has grown', async () => {
    await appendFile(logPath, 'two\n');
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(2));
    expect(reports[1]?.rows[0]?.logs).toBe('one\ntwo\n');
  });

  it('comes with the output of a file that was begun anew', async () => {
    await rm(logPath);
    await writeFile(logPath, 'new\n');
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(2));
    expect(reports[1]?.rows[0]?.logs).toBe('new\n');
  });

  it('is told without the output when only figures changed', async () => {
    stats = { ...stats, memoryBytes: 9e6 };
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(2));
    expect(reports[1]?.rows).toEqual([{ key, cpuPercent: 0, memoryBytes: 9e6, diskBytes: 0 }]);
  });
});
