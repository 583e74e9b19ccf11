import { readFile } from 'node:fs/promises';
import { parseMounts } from '../procfs/mounts.ts';

/**
 * How a host arranges its cgroups: one tree for everything (`v2`), one per controller (`v1`), or one per controller
 * beside a unified tree that only groups processes (`hybrid`).
 */
export type CgroupLayout =
  | { readonly kind: 'v2'; readonly root: string }
  | {
      readonly kind: 'v1' | 'hybrid';
      /** Mount point by controller (`memory`, `cpu`, `name=systemd`). */
      readonly controllers: Readonly<Record<string, string>>;
      /** Mount point of the unified tree of a hybrid host. */
      readonly unified?: string;
    };

/** Options of a cgroup mount that are no controllers. */
const MOUNT_OPTIONS = new Set([
  'rw',
  'ro',
  'nosuid',
  'nodev',
  'noexec',
  'relatime',
  'noatime',
  'seclabel',
  'xattr',
]);

/** Finds the layout in the text of `/proc/mounts`; undefined when no cgroups are mounted. */
export function detectCgroupLayout(mountsText: string): CgroupLayout | undefined {
  const mounts = parseMounts(mountsText);
  const unified = mounts.find(({ type }) => type === 'cgroup2')?.mountpoint;
  const controllers: Record<string, string> = {};
  for (const { type, mountpoint, options } of mounts) {
    if (type !== 'cgroup') continue;
    for (const option of options) {
      const isController =
        !MOUNT_OPTIONS.has(option) && (option.startsWith('name=') || !option.includes('='));
      if (isController) controllers[option] ??= mountpoint;
    }
  }
  const hasControllers = Object.keys(controllers).some((name) => !name.startsWith('name='));
  if (hasControllers) {
    return unified === undefined ? { kind: 'v1', controllers } : { kind: 'hybrid', controllers, unified };
  }
  return unified === undefined ? undefined : { kind: 'v2', root: unified };
}

/** The layout of this host; undefined when no cgroups are mounted (also inside `ip netns exec`). */
export async function readCgroupLayout(): Promise<CgroupLayout | undefined> {
  return detectCgroupLayout(await readFile('/proc/self/mounts', 'utf8'));
}

/** The directories of the cgroup `path` (`/oakestra/x`), one per tree. They need not exist. */
export function cgroupDirectories(layout: CgroupLayout, path: string): string[] {
  const roots =
    layout.kind === 'v2'
      ? [layout.root]
      : [...Object.values(layout.controllers), ...(layout.unified === undefined ? [] : [layout.unified])];
  const relative = path.replace(/^\/+|\/+$/g, '');
  return [...new Set(roots)].map((root) => (relative === '' ? root : `${root}/${relative}`));
}
