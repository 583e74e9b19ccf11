import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** One process for ever: its id alone is given to others after it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Kernel clock ticks since boot. */
  readonly startTime: string;
}

/**
 * Writes `pid startTime bootId`, the same form as the scripts that start a containerd use, so that they can read it.
 */
export function writePidFile(path: string, pid = process.pid): void {
  writeFileSync(`${path}.new`, `${pid} ${startTimeOf(pid) ?? '0'} ${bootId()}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/** The process that the file names, if exactly that one still runs. */
export function runningProcess(path: string): ProcessIdentity | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const [pid = '', startTime = '', boot] = text.trim().split(' ');
  if (!/^[1-9]\d*$/.test(pid) || boot !== bootId()) return undefined;
  const identity = { pid: Number(pid), startTime };
  return isRunning(identity) ? identity : undefined;
}

export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  return startTimeOf(pid) === startTime;
}

/** Removes the file unless it names another process that runs. */
export function removePidFile(path: string, pid = process.pid): void {
  const running = runningProcess(path);
  if (running === undefined || running.pid === pid) rmSync(path, { force: true });
}

function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name stands in brackets and may hold brackets and blanks itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
