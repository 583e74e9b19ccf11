import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Lies in the folders that we made: only those are ever removed as a whole. */
const MARK = '.oakestra';
const MARK_TEXT =
  'Made by "oakestra up". "oakestra down --purge" removes this folder with everything in it.\n';

/** Makes a folder for state. One that is new or empty is marked as ours. */
export function makeStateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (readdirSync(path).length === 0) writeFileSync(join(path, MARK), MARK_TEXT, { mode: 0o600 });
}

/** Removes a folder that we made. `foreign`: it is not ours, and stays. */
export function removeStateFolder(path: string): 'removed' | 'absent' | 'foreign' {
  if (!existsSync(path)) return 'absent';
  if (!existsSync(join(path, MARK))) return 'foreign';
  // The mark goes last: what an interrupted removal leaves is still known as ours.
  for (const name of readdirSync(path)) {
    if (name !== MARK) rmSync(join(path, name), { recursive: true, force: true });
  }
  rmSync(join(path, MARK), { force: true });
  rmdirSync(path);
  return 'removed';
}

/** Removes a folder if nothing is in it any more. */
export function removeIfEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}
