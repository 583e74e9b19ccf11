import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '@oakestra/testbed';

/** Removes the control groups below `parent` in every hierarchy; their processes have ended before. */
export function removeCgroups(parent: string): void {
  const roots = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] as string);
  for (const root of roots) removeTree(join(root, parent));
}

function removeTree(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}

/** Removes the folder that runc keeps for a namespace of containerd, outside of containerd's own; it is empty by now. */
export function removeRuncFolder(containerdNamespace: string): void {
  const folder = join('/run/containerd/runc', containerdNamespace);
  if (existsSync(folder)) rmdirSync(folder);
}

/** Removes the network namespaces of instances whose names begin so. */
export async function removeNamespaces(prefix: string): Promise<void> {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  for (const name of names.filter((one) => one.startsWith(prefix))) {
    await runCommand('ip', ['netns', 'delete', name], { okCodes: [0, 1] });
  }
}
