import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Remembers which containers were ever started. containerd forgets the task of a container whose shim died or
 * whose host rebooted; without this such a container would look as if it had never run.
 */
export interface StartMarkers {
  mark(containerId: string): Promise<void>;
  isMarked(containerId: string): Promise<boolean>;
  clear(containerId: string): Promise<void>;
}

/** One empty file per container in a directory that outlives this process, and best also the boot. */
export function createStartMarkers(directory: string): StartMarkers {
  const pathOf = (containerId: string) => join(directory, `${containerId}.started`);
  return {
    async mark(containerId) {
      const write = () => writeFile(pathOf(containerId), '', { mode: 0o600 });
      try {
        await write();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await write();
      }
    },
    isMarked: (containerId) =>
      stat(pathOf(containerId)).then(
        () => true,
        () => false,
      ),
    clear: (containerId) => rm(pathOf(containerId), { force: true }),
  };
}
