import type { Clock } from './clock.ts';
import { DeadlineError, withDeadline } from './deadline.ts';
import { formatDuration } from './duration.ts';
import type { Logger } from './logger.ts';

/** Ends a part. The signal aborts when its time is used up: what is still open then should be cut, not awaited. */
export type Stop = (signal: AbortSignal) => Promise<void> | void;

/** Something that a daemon starts and stops. */
export interface LifecyclePart {
  /**
   * Resolves when the part is ready for those that start after it. Gives the function that stops it, if it needs
   * one. The signal aborts when the daemon is told to stop meanwhile.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: functions that return nothing are parts too
  start(signal: AbortSignal): Promise<Stop | void> | Stop | void;
}

export interface PartOptions {
  /** Share of the time to stop that this part may use. Default: that of the lifecycle. */
  readonly stopTimeoutMs?: number;
}

export interface StopReport {
  readonly reason: string;
  /** Parts that did not stop in time and were left behind, or never got their turn. */
  readonly abandoned: readonly string[];
  /** Parts whose stop failed. */
  readonly failed: readonly string[];
}

export interface Lifecycle {
  /** Adds a part; only before `start`. */
  add(name: string, part: LifecyclePart, options?: PartOptions): void;
  /**
   * Starts the parts in the order of their addition. If one fails, those that run are stopped in reverse and the
   * failure is thrown. Rejects with a {@link StartInterruptedError} when `stop` comes first.
   */
  start(): Promise<void>;
  /** Stops what runs, in reverse. Never rejects; each further call gives the promise of the first. */
  stop(reason: string): Promise<StopReport>;
}

export interface LifecycleOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Time for all parts together to stop. Default 5 s. */
  readonly stopTimeoutMs?: number;
  /** Time for one part to stop. Default 2.5 s, so that one that hangs leaves time to the others. */
  readonly partStopTimeoutMs?: number;
}

/** `start` ended early because the daemon was told to stop. */
export class StartInterruptedError extends Error {
  override readonly name = 'StartInterruptedError';
  readonly kind = 'unavailable';
  readonly code = 'start-interrupted';
}

interface RunningPart {
  readonly name: string;
  readonly stop: Stop;
  readonly timeoutMs: number;
}

/** Starts parts in order and stops them in reverse within a deadline. */
export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { logger, clock, stopTimeoutMs = 5000, partStopTimeoutMs = 2500 } = options;
  const parts: { readonly name: string; readonly part: LifecyclePart; readonly timeoutMs: number }[] = [];
  const running: RunningPart[] = [];
  const interruption = new AbortController();
  let starting: Promise<void> | undefined;
  let stopping: Promise<StopReport> | undefined;
  let isTakenDown = false;

  const startAll = async (): Promise<void> => {
    for (const { name, part, timeoutMs } of parts) {
      interruption.signal.throwIfAborted();
      const beganMs = clock.monotonicMs();
      const stop = await part.start(interruption.signal);
      if (stop !== undefined && isTakenDown) {
        // It became ready after the daemon had stopped waiting for it.
        await stopPart({ name, stop, timeoutMs }, timeoutMs);
      } else if (stop !== undefined) {
        running.push({ name, stop, timeoutMs });
      }
      logger.debug('started', { part: name, durationMs: elapsedSince(beganMs) });
    }
    interruption.signal.throwIfAborted();
  };

  const elapsedSince = (beganMs: number) => Math.round(clock.monotonicMs() - beganMs);

  const stopPart = async (
    { name, stop }: RunningPart,
    timeoutMs: number,
  ): Promise<'stopped' | 'failed' | 'late'> => {
    const beganMs = clock.monotonicMs();
    try {
      await withDeadline(stop, { clock, timeoutMs, what: `stopping ${name}` });
      logger.debug('stopped', { part: name, durationMs: elapsedSince(beganMs) });
      return 'stopped';
    } catch (error) {
      const isLate = error instanceof DeadlineError;
      logger.error(isLate ? 'part did not stop in time' : 'part failed to stop', { part: name, error });
      return isLate ? 'late' : 'failed';
    }
  };

  const takeDown = async (reason: string): Promise<StopReport> => {
    const deadlineMs = clock.monotonicMs() + stopTimeoutMs;
    const remainingMs = () => Math.max(deadlineMs - clock.monotonicMs(), 0);
    interruption.abort(new StartInterruptedError(`told to stop while starting: ${reason}`));
    const abandoned: string[] = [];
    const failed: string[] = [];
    if (starting !== undefined) {
      const timeoutMs = Math.min(partStopTimeoutMs, remainingMs());
      const settled = starting.catch(() => {});
      await withDeadline(() => settled, { clock, timeoutMs, what: 'the start in progress' }).catch(() =>
        logger.warn('a part is still starting; stopping the others', { part: parts[running.length]?.name }),
      );
    }
    isTakenDown = true;
    for (let part = running.pop(); part !== undefined; part = running.pop()) {
      const timeoutMs = Math.min(part.timeoutMs, remainingMs());
      const outcome = timeoutMs > 0 ? await stopPart(part, timeoutMs) : 'late';
      if (outcome === 'late') abandoned.push(part.name);
      if (outcome === 'failed') failed.push(part.name);
    }
    if (abandoned.length > 0) {
      logger.error('stopped without waiting for everything', {
        reason,
        abandoned,
        limit: formatDuration(stopTimeoutMs),
      });
    }
    return { reason, abandoned, failed };
  };

  const stop = (reason: string) => {
    stopping ??= takeDown(reason);
    return stopping;
  };

  return {
    add(name, part, { stopTimeoutMs: timeoutMs = partStopTimeoutMs } = {}) {
      if (starting !== undefined) throw new Error(`part ${name} was added after the start`);
      parts.push({ name, part, timeoutMs });
    },
    async start() {
      if (starting !== undefined) throw new Error('a lifecycle starts only once');
      interruption.signal.throwIfAborted();
      starting = startAll();
      try {
        await starting;
      } catch (error) {
        const wasInterrupted = interruption.signal.aborted;
        await stop('the start failed');
        throw wasInterrupted ? interruption.signal.reason : error;
      }
    },
    stop,
  };
}
