import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** One entry of a layer. Everything belongs to root; times are always the epoch. */
export type TreeEntry =
  | { readonly kind: 'directory'; readonly mode?: number }
  /** `mode` default 0o644. */
  | { readonly kind: 'file'; readonly content: string | Buffer; readonly mode?: number }
  /** The content of a file of this machine. `mode` default 0o755. */
  | { readonly kind: 'copy'; readonly source: string; readonly mode?: number }
  | { readonly kind: 'link'; readonly target: string };

/** Content of a layer by path, relative to the root of the image and without a leading slash. */
export type FileTree = Readonly<Record<string, TreeEntry>>;

const modeOf = (entry: Exclude<TreeEntry, { kind: 'link' }>): number =>
  entry.mode ?? DEFAULT_MODES[entry.kind];
const DEFAULT_MODES = { directory: 0o755, file: 0o644, copy: 0o755 } as const;

/** The same for equal trees, wherever their files come from; changes with every path, mode and byte. */
export async function fingerprintOf(tree: FileTree): Promise<string> {
  const hash = createHash('sha256');
  for (const path of Object.keys(tree).sort()) {
    const entry = tree[path] as TreeEntry;
    const content = await contentOf(entry);
    hash.update(
      JSON.stringify([path, entry.kind, entry.kind === 'link' ? 0 : modeOf(entry), content.length]),
    );
    hash.update(content);
  }
  return hash.digest('hex');
}

async function contentOf(entry: TreeEntry): Promise<string | Buffer> {
  switch (entry.kind) {
    case 'directory':
      return '';
    case 'file':
      return entry.content;
    case 'copy':
      return readFile(entry.source);
    case 'link':
      return entry.target;
  }
}

/** Writes the tree into a folder. Folders that it only implies get mode 0o755. */
export async function writeTree(tree: FileTree, folder: string): Promise<void> {
  const complete = { ...impliedFolders(tree), ...tree };
  for (const path of Object.keys(complete).sort()) {
    await writeEntry(complete[path] as TreeEntry, join(folder, path));
  }
}

function impliedFolders(tree: FileTree): FileTree {
  const folders: Record<string, TreeEntry> = {};
  for (const path of Object.keys(tree)) {
    for (let above = dirname(path); above !== '.'; above = dirname(above))
      folders[above] = { kind: 'directory' };
  }
  return folders;
}

async function writeEntry(entry: TreeEntry, target: string): Promise<void> {
  switch (entry.kind) {
    case 'directory':
      await mkdir(target, { recursive: true });
      break;
    case 'file':
      await writeFile(target, entry.content);
      break;
    case 'copy':
      await copyFile(entry.source, target);
      break;
    case 'link':
      await symlink(entry.target, target);
      return;
  }
  // The umask has no say in what an image contains.
  await chmod(target, modeOf(entry));
}
