import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { eventually } from '../processes/index.ts';

interface Victim {
  readonly pid: number;
}

/** Ends a process at once, without any chance to tidy up, and waits until it is gone. */
export async function killNow({ pid }: Victim, { timeoutMs = 5_000 } = {}): Promise<void> {
  send(pid, 'SIGKILL');
  await eventually(() => stateOf(pid) === undefined, {
    timeoutMs,
    describe: `process ${pid} to be gone`,
    intervalMs: 5,
  });
}

/** Stops a process in its tracks (all its threads; its connections stay open), and waits until it stands. */
export async function freeze({ pid }: Victim, { timeoutMs = 5_000 } = {}): Promise<void> {
  send(pid, 'SIGSTOP');
  await eventually(() => stateOf(pid) === 'T', {
    timeoutMs,
    describe: `process ${pid} to stand still`,
    intervalMs: 5,
  });
}

/** Lets a frozen process go on. */
export async function thaw({ pid }: Victim, { timeoutMs = 5_000 } = {}): Promise<void> {
  send(pid, 'SIGCONT');
  await eventually(() => stateOf(pid) !== 'T', {
    timeoutMs,
    describe: `process ${pid} to go on`,
    intervalMs: 5,
  });
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    throw new OakestraError('not-found', 'process-gone', `There is no process ${pid} to send ${signal} to.`, {
      cause,
    });
  }
}

/** The state letter of a process; undefined when it is gone or only its zombie is left. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2)[0];
    return state === 'Z' || state === 'X' ? undefined : state;
  } catch {
    return undefined;
  }
}

/**
 * Freezes all processes of a cgroup directory (version 1 of the freezer hierarchy, or version 2), also those that
 * are started meanwhile.
 */
export async function freezeCgroup(directory: string, { timeoutMs = 5_000 } = {}): Promise<void> {
  await setCgroupFrozen(directory, true, timeoutMs);
}

export async function thawCgroup(directory: string, { timeoutMs = 5_000 } = {}): Promise<void> {
  await setCgroupFrozen(directory, false, timeoutMs);
}

async function setCgroupFrozen(directory: string, isFrozen: boolean, timeoutMs: number): Promise<void> {
  const isVersion1 = readOrUndefined(join(directory, 'freezer.state')) !== undefined;
  const describe = `the cgroup ${directory} to be ${isFrozen ? 'frozen' : 'thawed'}`;
  if (isVersion1) {
    const wanted = isFrozen ? 'FROZEN' : 'THAWED';
    const file = join(directory, 'freezer.state');
    await eventually(
      () => {
        // Version 1 may need to be asked again while processes are being started.
        writeFileSync(file, wanted);
        return readFileSync(file, 'utf8').trim() === wanted;
      },
      { timeoutMs, describe, intervalMs: 10 },
    );
    return;
  }
  writeFileSync(join(directory, 'cgroup.freeze'), isFrozen ? '1' : '0');
  const line = `frozen ${isFrozen ? 1 : 0}`;
  await eventually(() => readFileSync(join(directory, 'cgroup.events'), 'utf8').includes(line), {
    timeoutMs,
    describe,
    intervalMs: 10,
  });
}

function readOrUndefined(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
