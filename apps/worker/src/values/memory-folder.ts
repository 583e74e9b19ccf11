import { execFile } from 'node:child_process';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Magic numbers of tmpfs and ramfs (statfs(2)). */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** Makes sure that the folder exists, is for root alone and lives in memory: what is in it never reaches a disk. */
export async function ensureMemoryFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (await isInMemory(path)) return;
  const options = 'mode=0700,nosuid,nodev,noexec,size=25%';
  // Without swap where the kernel can (6.4).
  await mount(path, `${options},noswap`).catch(() => mount(path, options));
}

/** Removes it with all that is in it. Idempotent. */
export async function removeMemoryFolder(path: string): Promise<void> {
  // It is a mount only where the folder above is on a disk.
  await run('umount', [path]).catch(() => {});
  await rm(path, { recursive: true, force: true });
}

const mount = (path: string, options: string) =>
  run('mount', ['-t', 'tmpfs', '-o', options, 'oakestra-values', path]);

const isInMemory = async (path: string): Promise<boolean> => IN_MEMORY.has((await statfs(path)).type);
