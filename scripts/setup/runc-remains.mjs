// runc keeps a folder for each container, outside of containerd's own and shared by all containerds of a machine.
// Each says which bundle it belongs to; the bundles of a containerd lie below its state folder.
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the shim keeps them unless told otherwise. */
const DEFAULT_ROOT = '/run/containerd/runc';
const BUNDLES = 'io.containerd.runtime.v2.task';

/** @param {string} folder */
function list(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** @param {string} file @returns {Record<string, any>} */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

/** @param {string} state @returns {string[]} */
function runcRoots(state) {
  const bundles = list(join(state, BUNDLES)).flatMap((namespace) =>
    list(join(state, BUNDLES, namespace)).map((id) => join(state, BUNDLES, namespace, id)),
  );
  const chosen = bundles.map((bundle) => {
    const options = readJson(join(bundle, 'options.json'));
    return options.Root ?? options.root;
  });
  return [...new Set([DEFAULT_ROOT, ...chosen.filter((root) => typeof root === 'string' && root !== '')])];
}

/**
 * The folders of runc for containers of the containerd with this state folder, and the cgroups it made for them.
 * @param {string} state
 * @returns {{ folder: string, cgroups: string[] }[]}
 */
export function runcStatesOf(state) {
  return runcRoots(state).flatMap((root) =>
    list(root).flatMap((namespace) =>
      list(join(root, namespace)).flatMap((id) => {
        const folder = join(root, namespace, id);
        const saved = readJson(join(folder, 'state.json'));
        const labels = saved.config?.labels ?? [];
        const isOurs = labels.some((/** @type {string} */ label) => label.startsWith(`bundle=${state}/`));
        return isOurs ? [{ folder, cgroups: Object.values(saved.cgroup_paths ?? {}) }] : [];
      }),
    ),
  );
}

/**
 * Removes these folders and cgroups, and the parents that this empties; the containers must have ended.
 * @param {string} state
 */
export function removeRuncStates(state) {
  for (const { folder, cgroups } of runcStatesOf(state)) {
    rmSync(folder, { recursive: true, force: true });
    removeIfEmpty(dirname(folder));
    for (const path of cgroups) removeCgroup(path);
  }
}

/**
 * Removes a cgroup directory and those above it as far as they are empty. The kernel refuses where processes or
 * other cgroups are, and the root of a hierarchy.
 * @param {string} path
 */
export function removeCgroup(path) {
  if (!path.startsWith('/sys/fs/cgroup/')) return;
  removeIfEmpty(path);
  if (!existsSync(path)) removeCgroup(dirname(path));
}

/** @param {string} folder */
function removeIfEmpty(folder) {
  try {
    rmdirSync(folder);
  } catch {
    // In use, not empty, or gone already: nothing of ours is in it.
  }
}
