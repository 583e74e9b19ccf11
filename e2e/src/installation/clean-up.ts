import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, runCommand } from '@oakestra/testbed';

const HOST = '(otb[0-9a-z]+-[0-9a-z]{3}n[0-9a-z]{2})';
const NAMESPACES = '/run/netns';
const RUNC = '/run/containerd/runc';
/** Where workers show the files of secrets. */
const VALUES = '/run/oakestra';

export const valueFolderOf = (networkPrefix: string): string => join(VALUES, `${networkPrefix}-values`);

/**
 * Removes what instances of killed test runs left: their names carry the host they were on, and that is gone since
 * the testbed has been swept.
 */
export async function sweepInstances(): Promise<void> {
  const isGone = (host: string | undefined) => host !== undefined && !existsSync(join(NAMESPACES, host));
  for (const name of list(NAMESPACES)) {
    if (isGone(new RegExp(`^oak-${HOST}`).exec(name)?.[1])) await removeNamespaces(name);
  }
  for (const name of list(VALUES)) {
    if (isGone(new RegExp(`^oak-${HOST}-values$`).exec(name)?.[1]))
      await removeValues(name.replace(/-values$/, ''));
  }
  for (const folder of [RUNC, ...cgroupRoots()]) {
    for (const name of list(folder)) {
      if (!isGone(new RegExp(`^oakestra-${HOST}$`).exec(name)?.[1])) continue;
      if (folder === RUNC) removeRuncFolder(name);
      else await removeInhabited(join(folder, name));
    }
  }
}

/** Removes the control groups below `parent` in every hierarchy; their processes have ended before. */
export function removeCgroups(parent: string): void {
  for (const root of cgroupRoots()) removeTree(join(root, parent));
}

function cgroupRoots(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] as string);
}

/** Where the shims of containers died before the containers did, nothing else leads to these. */
async function removeInhabited(group: string): Promise<void> {
  await eventually(
    () => {
      const files = list(group).map((name) => join(group, name, 'cgroup.procs'));
      const pids = files
        .filter(existsSync)
        .flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean));
      for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
      removeTree(group);
      return true;
    },
    { timeoutMs: 10_000, describe: `the control group ${group} to be empty`, intervalMs: 20 },
  );
}

function removeTree(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}

/** Removes the folder that runc keeps for a namespace of containerd, outside of containerd's own; nothing runs there by now. */
export function removeRuncFolder(containerdNamespace: string): void {
  rmSync(join(RUNC, containerdNamespace), { recursive: true, force: true });
}

/** Forgets the files of secrets, as a machine without power does. */
export async function removeValues(networkPrefix: string): Promise<void> {
  const folder = valueFolderOf(networkPrefix);
  await runCommand('umount', ['--lazy', folder], { okCodes: [0, 1, 32] });
  rmSync(folder, { recursive: true, force: true });
}

/** Removes the network namespaces of instances whose names begin so. */
export async function removeNamespaces(prefix: string): Promise<void> {
  for (const name of list(NAMESPACES).filter((one) => one.startsWith(prefix))) {
    await runCommand('ip', ['netns', 'delete', name], { okCodes: [0, 1] });
  }
}

const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
