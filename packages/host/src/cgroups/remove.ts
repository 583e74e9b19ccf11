import { readdir, rmdir } from 'node:fs/promises';
import { OakestraError } from '@oakestra/contracts';
import { type CgroupLayout, cgroupDirectories } from './layout.ts';

/** Pause between two attempts while processes are still leaving. */
const RETRY_MS = 20;

export interface RemoveCgroupOptions {
  /** How long processes may take to leave. Default 2 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Removes a cgroup with all below it from every tree; one that is not there is no error. Fails with `cgroup-in-use`
 * when processes remain in it, and refuses the root.
 */
export async function removeCgroup(
  layout: CgroupLayout,
  path: string,
  { timeoutMs = 2_000, signal }: RemoveCgroupOptions = {},
): Promise<void> {
  if (path.split('/').every((part) => part === '') || path.split('/').includes('..')) {
    throw new OakestraError('invalid', 'invalid-cgroup', `"${path}" is not a cgroup that can be removed`);
  }
  const deadline = AbortSignal.timeout(timeoutMs);
  for (const directory of cgroupDirectories(layout, path)) {
    while (!(await removeTree(directory))) {
      signal?.throwIfAborted();
      if (deadline.aborted) {
        throw new OakestraError(
          'conflict',
          'cgroup-in-use',
          `the cgroup ${directory} still has processes after ${timeoutMs} ms; stop them and try again`,
          { details: { directory } },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Children first. False when a process is still in it. The files of a cgroup need no removal. */
async function removeTree(directory: string): Promise<boolean> {
  let entries: Awaited<ReturnType<typeof readSubdirectories>>;
  try {
    entries = await readSubdirectories(directory);
  } catch (error) {
    if (isGone(error)) return true;
    throw error;
  }
  for (const entry of entries) {
    if (!(await removeTree(`${directory}/${entry}`))) return false;
  }
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    if (isGone(error)) return true;
    if (codeOf(error) === 'EBUSY' || codeOf(error) === 'ENOTEMPTY') return false;
    throw error;
  }
}

async function readSubdirectories(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

function isGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENODEV';
}
