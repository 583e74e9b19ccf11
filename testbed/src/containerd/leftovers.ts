import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerdPlace } from '../../../scripts/setup/containerd-instance.mjs';
import {
  cgroupsOf,
  descendantsOf,
  mountsBelow,
  shimsOf,
} from '../../../scripts/setup/containerd-remains.mjs';
import { runcStatesOf } from '../../../scripts/setup/runc-remains.mjs';
import { runCommand } from '../processes/index.ts';

/** Each as `namespace/name`, as a path, or as a process id; all empty when nothing is left. */
export interface ContainerdLeftovers {
  readonly containers: readonly string[];
  readonly tasks: readonly string[];
  readonly snapshots: readonly string[];
  readonly leases: readonly string[];
  readonly images: readonly string[];
  readonly shims: readonly string[];
  /** Folders that runc keeps for its containers. */
  readonly runcStates: readonly string[];
  /** Mount points below its folders. */
  readonly mounts: readonly string[];
  /** cgroups in which processes of its containers run, and all below the given parents. */
  readonly cgroups: readonly string[];
}

export interface LeftoverOptions {
  /** Also list images and the snapshots they are unpacked into; default false. */
  readonly withImages?: boolean;
  /** Paths below the roots of the cgroup hierarchies, such as `oakestra`, in which nothing may be. */
  readonly cgroupParents?: readonly string[];
}

/**
 * What a running containerd holds. Snapshots that belong to unpacked images count as images, not as leftovers: they
 * are the committed ones and are listed only `withImages`.
 */
export async function leftoversOf(
  place: ContainerdPlace,
  { withImages = false, cgroupParents = [] }: LeftoverOptions = {},
): Promise<ContainerdLeftovers> {
  const ctr = async (args: readonly string[]) =>
    linesOf((await runCommand('ctr', ['--address', place.address, ...args])).stdout);
  const namespaces = await ctr(['namespaces', 'list', '--quiet']);
  const inEach = async (list: (namespace: string) => Promise<string[]>) => {
    const found: string[] = [];
    for (const namespace of namespaces) {
      found.push(...(await list(namespace)).map((name) => `${namespace}/${name}`));
    }
    return found;
  };
  const quietly = (kind: string) =>
    inEach((namespace) => ctr(['--namespace', namespace, kind, 'list', '--quiet']));
  const shims = shimsOf(place.address);
  return {
    containers: await quietly('containers'),
    tasks: await quietly('tasks'),
    snapshots: await inEach(async (namespace) =>
      snapshotNames(await ctr(['--namespace', namespace, 'snapshots', 'list']), {
        withCommitted: withImages,
      }),
    ),
    leases: await quietly('leases'),
    images: withImages ? await quietly('images') : [],
    shims: shims.map(String),
    runcStates: runcStatesOf(place.state).map(({ folder }) => folder),
    mounts: [...mountsBelow(place.state), ...mountsBelow(place.root)],
    cgroups: [...new Set([...cgroupsOfContainers(shims), ...cgroupsBelow(cgroupParents)])].sort(),
  };
}

function cgroupsOfContainers(shims: readonly number[]): string[] {
  const ours = new Set(cgroupsOf('self'));
  const theirs = descendantsOf(shims).flatMap((pid) => cgroupsOf(pid));
  return theirs.filter((path) => !ours.has(path));
}

function cgroupsBelow(parents: readonly string[]): string[] {
  return parents.flatMap((parent) =>
    cgroupRoots().flatMap((root) => readFolders(join(root, parent)).map((name) => join(root, parent, name))),
  );
}

/** One per hierarchy; on version 2 there is only one. */
function cgroupRoots(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] as string);
}

function readFolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** Keys from `ctr snapshots list`: a table of key, parent and kind, where the parent may be empty. */
export function snapshotNames(
  table: readonly string[],
  { withCommitted }: { readonly withCommitted: boolean },
): string[] {
  return table
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => withCommitted || columns.at(-1) !== 'Committed')
    .map((columns) => columns[0] as string);
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
