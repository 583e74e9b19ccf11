import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Usage } from '@oakestra/contracts';
import { createLogger, createManualClock } from '@oakestra/daemon';
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
  let held: Promise<void> | undefined;
  let isRunning = true;
  let isBroken = false;
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
    [held, isRunning, isBroken] = [undefined, true, false];
    stats = { cpuNanos: 0, memoryBytes: 1e6, memoryLimitBytes: 0, diskBytes: 0 };
    sampler = createUsageSampler({
      runtime: {
        stats: async () => {
          measured += 1;
          await held;
          return stats;
        },
      },
      clock,
      logger: createLogger({ output: { write: () => {} } }),
      vcpus: 2,
      intervalMs: INTERVAL_MS,
      running: () => (isRunning ? [{ key, runtimeId: 'a', logPath }] : []),
      report(usage) {
        reports.push(usage);
        if (reports.length === 2 && isBroken) throw new Error('the connection is gone');
      },
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

  it('is told again, output and all, to a new receiver', async () => {
    sampler.forgetTold();
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(2));
    expect(reports[1]).toEqual(reports[0]);
  });

  it('counts processor time of the whole machine, and not backwards after a restart of the instance', async () => {
    stats = { ...stats, cpuNanos: 4e9 };
    const sinceMs = clock.monotonicMs();
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(2));
    const percent = (4000 / (clock.monotonicMs() - sinceMs) / 2) * 100;
    expect(reports[1]?.rows[0]?.cpuPercent).toBeCloseTo(percent, 1);
    stats = { ...stats, cpuNanos: 1 };
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(3));
    expect(reports[2]?.rows[0]?.cpuPercent).toBe(0);
  });

  it('forgets instances that are gone', async () => {
    isRunning = false;
    await clock.advance(3 * INTERVAL_MS);
    isRunning = true;
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(2));
    expect(reports[1]?.rows[0]?.logs).toBe('one\n');
  });

  it('is measured by one round at a time, however slow the runtime is', async () => {
    let release = (): void => {};
    held = new Promise((resolve) => {
      release = resolve;
    });
    const before = measured;
    await nextRound();
    sampler.soon();
    await clock.advance(10 * INTERVAL_MS);
    expect(measured).toBe(before + 1);
    held = undefined;
    release();
    // Asked for meanwhile: soon, not only after the interval.
    await vi.waitFor(async () => {
      await clock.advance(500);
      expect(measured).toBe(before + 2);
    });
  });

  it('goes on after a round that failed', async () => {
    isBroken = true;
    await appendFile(logPath, 'two\n');
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(2));
    await appendFile(logPath, 'three\n');
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(3));
  });

  it('is told without an output that cannot be read', async () => {
    await rm(logPath);
    await mkdir(logPath);
    stats = { ...stats, memoryBytes: 9e6 };
    await nextRound();
    await vi.waitFor(() => expect(reports).toHaveLength(2));
    expect(reports[1]?.rows[0]).toMatchObject({ memoryBytes: 9e6, logs: '' });
  });

  it('is not told after the stop, not even what was being measured', async () => {
    let release = (): void => {};
    held = new Promise((resolve) => {
      release = resolve;
    });
    stats = { ...stats, memoryBytes: 9e6 };
    await nextRound();
    sampler.stop();
    release();
    await clock.advance(5 * INTERVAL_MS);
    expect(reports).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });
});
