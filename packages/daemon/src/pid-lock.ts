import { spawn } from 'node:child_process';
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Another process uses the state directory. */
export class LockHeldError extends Error {
  override readonly name = 'LockHeldError';
  readonly kind = 'conflict';
  readonly code = 'state-directory-in-use';
  /** Process id of the holder, as its own system sees it; `undefined` when it did not leave one. */
  readonly holderPid: number | undefined;

  constructor(directory: string, holderPid: number | undefined) {
    const holder = holderPid === undefined ? 'another process' : `process ${holderPid}`;
    super(`${directory} is in use by ${holder}; stop it first, or choose another state directory`);
    this.holderPid = holderPid;
  }
}

/** The right to be the only one in a state directory. */
export interface StateLock {
  /** Gives the right back. Idempotent. A process that dies gives it back by dying. */
  release(): Promise<void>;
}

/** What tells one process from another that had the same number before it, also across reboots. */
interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and start of the process. */
  readonly startTicks: string;
  readonly bootId: string;
}

/**
 * Locks a state directory (created with mode 0700 if need be) for this process. The kernel holds the lock where the
 * `flock` program is installed, as it is on every Debian; elsewhere a process counts as holder when the process named
 * in `<directory>/lock` runs and started at the time noted there. Rejects with a {@link LockHeldError}.
 */
export async function lockStateDirectory(directory: string): Promise<StateLock> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'lock');
  const file = await open(path, 'a+', 0o600);
  try {
    const isLockedByKernel = await flock(file);
    const noted = parseIdentity(await readFile(path, 'utf8'));
    // Checked also when the kernel gave the lock: the holder may have had no flock program.
    const isHeld = noted !== undefined && (await isRunning(noted));
    if (isLockedByKernel === false || isHeld) throw new LockHeldError(directory, noted?.pid);
    await file.truncate(0);
    await file.write(`${JSON.stringify(await identityOf(process.pid))}\n`);
  } catch (error) {
    await file.close();
    throw error;
  }
  let released: Promise<void> | undefined;
  return {
    release() {
      // The file stays: removing it would let two processes lock two files of the same name.
      released ??= file.truncate(0).finally(() => file.close());
      return released;
    },
  };
}

/**
 * Locks the open file: the lock belongs to the open file description, which the child shares with us, and so
 * outlives the child. `undefined` when there is no flock program.
 */
function flock(file: FileHandle): Promise<boolean | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', file.fd] });
    child.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' || error.code === 'EACCES' ? resolve(undefined) : reject(error),
    );
    child.once('exit', (code) => resolve(code === 0 ? true : code === 1 ? false : undefined));
  });
}

async function isRunning(noted: ProcessIdentity): Promise<boolean> {
  const found = await identityOf(noted.pid);
  return found?.startTicks === noted.startTicks && found.bootId === noted.bootId;
}

async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    // The second field is the name in parentheses, which may hold spaces and parentheses itself.
    const [state, ...afterState] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTicks = afterState[18];
    // A zombie holds nothing any more.
    return startTicks === undefined || state === 'Z' ? undefined : { pid, startTicks, bootId };
  } catch {
    return undefined;
  }
}

function parseIdentity(text: string): ProcessIdentity | undefined {
  try {
    const { pid, startTicks, bootId } = JSON.parse(text) as Partial<Record<keyof ProcessIdentity, unknown>>;
    const isComplete =
      Number.isSafeInteger(pid) && typeof startTicks === 'string' && typeof bootId === 'string';
    return isComplete ? { pid: pid as number, startTicks, bootId } : undefined;
  } catch {
    return undefined;
  }
}
