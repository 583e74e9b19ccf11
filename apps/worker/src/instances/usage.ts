import { stat } from 'node:fs/promises';
import { messageOf, type Usage } from '@oakestra/contracts';
import type { CancelTimer, Clock, Logger } from '@oakestra/daemon';
import { type InstanceStats, type Runtime, tailLog } from '@oakestra/runtimes';

type Row = Usage['rows'][number];

export interface UsageOptions {
  readonly runtime: Pick<Runtime, 'stats'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly vcpus: number;
  readonly intervalMs: number;
  /** Running instances: key, id at the runtime, path of the output. */
  readonly running: () => readonly {
    readonly key: string;
    readonly runtimeId: string;
    readonly logPath: string;
  }[];
  readonly report: (usage: Usage) => void;
}

/** Measures what the instances use, and reports what changed notably. */
export interface UsageSampler {
  start(): void;
  /** An instance started: measure soon, users look now. */
  soon(): void;
  /** The receiver is a new one: tell everything again. */
  forgetTold(): void;
  stop(): void;
}

const LOG_TAIL_BYTES = 1024;
const SOON_MS = 2000;

export function createUsageSampler(options: UsageOptions): UsageSampler {
  const { runtime, clock, logger, vcpus } = options;
  const earlier = new Map<string, { readonly stats: InstanceStats; readonly atMs: number }>();
  const told = new Map<string, Row>();
  const outputs = new Map<string, Output>();
  let cancel: CancelTimer | undefined;
  let dueMs = Number.POSITIVE_INFINITY;
  let isStopped = false;
  /** While a round is under way: how long after it the next one begins. */
  let pauseMs: number | undefined;

  const measure = async (): Promise<void> => {
    const running = options.running();
    const rows: Row[] = [];
    for (const { key, runtimeId, logPath } of running) {
      const stats = await runtime.stats(runtimeId).catch(() => undefined);
      if (stats === undefined) continue;
      const atMs = clock.monotonicMs();
      const before = earlier.get(key);
      earlier.set(key, { stats, atMs });
      const output = await readOutput(logPath, outputs.get(key));
      outputs.set(key, output);
      const { logs } = output;
      const row: Row = {
        key,
        cpuPercent: before === undefined ? 0 : cpuPercentOf(before, { stats, atMs }, vcpus),
        memoryBytes: stats.memoryBytes,
        diskBytes: stats.diskBytes,
        logs,
      };
      const previous = told.get(key);
      if (previous !== undefined && !isNotable(previous, row)) continue;
      told.set(key, row);
      const { logs: _, ...figures } = row;
      rows.push(previous?.logs === logs ? figures : row);
    }
    const present = new Set(running.map(({ key }) => key));
    for (const key of [...earlier.keys()]) {
      if (present.has(key)) continue;
      earlier.delete(key);
      told.delete(key);
      outputs.delete(key);
    }
    if (rows.length > 0 && !isStopped) options.report({ type: 'usage', rows });
  };

  const round = async (): Promise<void> => {
    pauseMs = options.intervalMs;
    try {
      await measure();
    } catch (error) {
      logger.warn('the use of resources could not be measured', { reason: messageOf(error) });
    }
    const nextMs = pauseMs;
    pauseMs = undefined;
    arm(nextMs);
  };

  const arm = (delayMs: number): void => {
    if (pauseMs !== undefined) {
      pauseMs = Math.min(pauseMs, delayMs);
      return;
    }
    const atMs = clock.monotonicMs() + delayMs;
    if (isStopped || atMs >= dueMs) return;
    cancel?.();
    dueMs = atMs;
    cancel = clock.setTimer(delayMs, () => {
      dueMs = Number.POSITIVE_INFINITY;
      void round();
    });
  };

  return {
    start: () => arm(options.intervalMs),
    soon: () => arm(SOON_MS),
    forgetTold: () => told.clear(),
    stop() {
      isStopped = true;
      cancel?.();
    },
  };
}

/** The end of an output, and when the file looked like that. */
interface Output {
  readonly logs: string;
  readonly seen: string | undefined;
}

/** A quiet instance costs one look at its file, not the reading of it. */
async function readOutput(path: string, before: Output | undefined): Promise<Output> {
  const seen = await stat(path).then(
    ({ size, mtimeMs, ino }) => `${ino} ${size} ${mtimeMs}`,
    () => undefined,
  );
  if (before !== undefined && seen !== undefined && before.seen === seen) return before;
  // An output that cannot be read must not hide the figures.
  return { logs: await tailLog(path, LOG_TAIL_BYTES).catch(() => ''), seen };
}

interface Sample {
  readonly stats: InstanceStats;
  readonly atMs: number;
}

function cpuPercentOf(before: Sample, now: Sample, vcpus: number): number {
  const elapsedMs = now.atMs - before.atMs;
  const usedMs = (now.stats.cpuNanos - before.stats.cpuNanos) / 1e6;
  if (elapsedMs <= 0 || usedMs < 0) return 0;
  return Math.min(100, Math.round((usedMs / elapsedMs / Math.max(1, vcpus)) * 1e4) / 100);
}

/** Small wobbles of an idle instance are not worth a message. */
function isNotable(before: Row, now: Row): boolean {
  return (
    Math.abs(before.cpuPercent - now.cpuPercent) >= 1 ||
    Math.abs(before.memoryBytes - now.memoryBytes) > Math.max(2 ** 20, before.memoryBytes * 0.05) ||
    Math.abs(before.diskBytes - now.diskBytes) > Math.max(2 ** 20, before.diskBytes * 0.05) ||
    before.logs !== now.logs
  );
}
