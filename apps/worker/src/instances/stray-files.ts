import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface StrayFilesOptions {
  readonly logDirectory: string;
  readonly fileDirectory: string;
  /** Ids, at the runtime, of everything that exists or is to run. */
  readonly known: ReadonlySet<string>;
}

/** `<id>.log`, rotated as `<id>.log.1`, and `<id>.hosts`. */
const LOG = /^(.+)\.log(?:\.\d+)?$/;
const HOSTS = /^(.+)\.hosts$/;

/**
 * Removes the files of instances that are gone: a crash between the end of a container and the removal of its files
 * leaves them behind. To be called before anything is started. Answers the names of the removed files.
 */
export async function removeStrayFiles(options: StrayFilesOptions): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const [directory, pattern] of [
    [options.logDirectory, LOG],
    [options.fileDirectory, HOSTS],
  ] as const) {
    for (const name of await readdir(directory)) {
      const id = pattern.exec(name)?.[1];
      if (id === undefined || options.known.has(id)) continue;
      await rm(join(directory, name), { force: true });
      removed.push(name);
    }
  }
  return removed;
}
