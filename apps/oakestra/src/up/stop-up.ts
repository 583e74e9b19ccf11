import { type Clock, keptAlive, sleep } from '@oakestra/daemon';
import { isRunning, type ProcessIdentity, runningProcess } from './pid-file.ts';

export interface StopOptions {
  readonly pidFile: string;
  readonly clock: Clock;
  /** Until it is given up or, with `force`, killed. */
  readonly timeoutMs: number;
  /** Kill it when it does not stop by itself: containers do not mind. */
  readonly force: boolean;
}

export interface StopResult {
  readonly kind: 'not-running' | 'stopped' | 'killed' | 'still-running';
  readonly pid: number | undefined;
}

const CHECK_EVERY_MS = 50;
const KILL_TIMEOUT_MS = 5000;

/** Stops the `up` that a pid file names; never another process that got the same id meanwhile. */
export async function stopUp({ pidFile, clock, timeoutMs, force }: StopOptions): Promise<StopResult> {
  const found = runningProcess(pidFile);
  if (found === undefined) return { kind: 'not-running', pid: undefined };
  const { pid } = found;
  if (await endsAfter(found, 'SIGTERM', { clock, timeoutMs })) return { kind: 'stopped', pid };
  if (!force) return { kind: 'still-running', pid };
  const isKilled = await endsAfter(found, 'SIGKILL', { clock, timeoutMs: KILL_TIMEOUT_MS });
  return { kind: isKilled ? 'killed' : 'still-running', pid };
}

async function endsAfter(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  { clock, timeoutMs }: Pick<StopOptions, 'clock' | 'timeoutMs'>,
): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  if (!isRunning(identity)) return true;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  while (isRunning(identity)) {
    if (clock.monotonicMs() > deadlineMs) return false;
    await keptAlive(sleep(clock, CHECK_EVERY_MS));
  }
  return true;
}
