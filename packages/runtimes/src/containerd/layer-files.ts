import { constants } from 'node:fs';
import { lstat, open, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mount } from './gen/containerd/types.gen.ts';

/** Directories of the layers that mounts would put over each other, uppermost first. */
export function layersOf(mounts: readonly Mount[]): readonly string[] {
  const [mount] = mounts;
  if (mount === undefined) return [];
  if (mount.type !== 'overlay') return [mount.source];
  const option = (name: string): string[] =>
    mount.options.flatMap((text) => (text.startsWith(`${name}=`) ? [text.slice(name.length + 1)] : []));
  return [...option('upperdir'), ...option('lowerdir').flatMap((dirs) => dirs.split(':'))];
}

const largestFileBytes = 1 << 20;
const mostLinks = 40;

/**
 * Reads a small text file as a program in the container would see it, without mounting anything: symbolic links
 * are followed within the layers, never into the host. `undefined` when it does not exist or is no file.
 */
export async function readLayerFile(layers: readonly string[], path: string): Promise<string | undefined> {
  const walk: Walk = { pending: path.split('/'), levels: [layers], links: 0 };
  while (walk.pending.length > 0) {
    const name = walk.pending.shift() ?? '';
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (walk.levels.length > 1) walk.levels.pop();
      continue;
    }
    const found = await lookUp(walk.levels.at(-1) ?? [], name);
    if (found?.kind === 'file') return walk.pending.length === 0 ? await readText(found.path) : undefined;
    if (found === undefined || !enter(walk, found)) return undefined;
  }
  return undefined;
}

interface Walk {
  readonly pending: string[];
  /** The directories that make up each level of the path walked so far; the first one is the root. */
  readonly levels: (readonly string[])[];
  links: number;
}

/** Goes on with a directory or the target of a link; false when there are too many links. */
function enter(walk: Walk, found: Exclude<Found, { kind: 'file' }>): boolean {
  if (found.kind === 'directory') {
    walk.levels.push(found.paths);
    return true;
  }
  walk.links += 1;
  if (found.target.startsWith('/')) walk.levels.length = 1;
  walk.pending.unshift(...found.target.split('/'));
  return walk.links <= mostLinks;
}

type Found =
  | { readonly kind: 'directory'; readonly paths: readonly string[] }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'file'; readonly path: string };

/** One name within a directory that may be spread over layers: the uppermost entry decides, directories unite. */
async function lookUp(directories: readonly string[], name: string): Promise<Found | undefined> {
  const united: string[] = [];
  for (const directory of directories) {
    const path = join(directory, name);
    const entry = await lstat(path).catch(() => undefined);
    if (entry === undefined) continue;
    if (entry.isDirectory()) {
      united.push(path);
      continue;
    }
    // A character device 0:0 says that the lower layers' entry was deleted; a file hides what is below it.
    if (united.length > 0 || (entry.isCharacterDevice() && entry.rdev === 0)) break;
    if (entry.isSymbolicLink()) return { kind: 'link', target: await readlink(path) };
    return { kind: 'file', path };
  }
  return united.length > 0 ? { kind: 'directory', paths: united } : undefined;
}

async function readText(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const about = await file.stat();
    if (!about.isFile() || about.size > largestFileBytes) return undefined;
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
