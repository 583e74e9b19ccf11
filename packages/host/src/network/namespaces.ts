import { createHash } from 'node:crypto';
import { readdir, readlink, stat } from 'node:fs/promises';

const DIRECTORY = '/run/netns';
const ID_DIGITS = 12;
/** Linux allows 15 characters. */
const INTERFACE_PREFIX = 'oakv';
const INTERFACE_DIGITS = 11;

function digest(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}

/**
 * Name of the network namespace of an instance: always the same for the same prefix and id. Several workers on one
 * machine share `/run/netns` and are told apart by their prefix.
 */
export function namespaceNameOf(prefix: string, instanceId: string): string {
  return `${prefix}-${digest(instanceId, ID_DIGITS)}`;
}

/** Name of the host's end of an instance's cable, 15 characters. */
export function hostInterfaceNameOf(instanceId: string): string {
  return `${INTERFACE_PREFIX}${digest(instanceId, INTERFACE_DIGITS)}`;
}

/** Was the name made by {@link hostInterfaceNameOf}? */
export function isHostInterfaceName(name: string): boolean {
  return new RegExp(`^${INTERFACE_PREFIX}[0-9a-f]{${INTERFACE_DIGITS}}$`).test(name);
}

export function namespacePath(name: string): string {
  return `${DIRECTORY}/${name}`;
}

/** The namespaces whose names were made with exactly this prefix. */
export async function listNamespaces(prefix: string): Promise<string[]> {
  const names = await readdir(DIRECTORY).catch(() => []);
  const head = `${prefix}-`;
  const id = new RegExp(`^[0-9a-f]{${ID_DIGITS}}$`);
  return names.filter((name) => name.startsWith(head) && id.test(name.slice(head.length))).sort();
}

/** Those of `names` in which a process lives. Looks at every process once, so ask about few and seldom. */
export async function namespacesInUse(names: readonly string[]): Promise<Set<string>> {
  const used = new Set<string>();
  if (names.length === 0) return used;
  const nameByInode = new Map<string, string>();
  for (const name of names) {
    const inode = await stat(namespacePath(name), { bigint: true }).then(
      ({ ino }) => `net:[${ino}]`,
      () => undefined,
    );
    if (inode !== undefined) nameByInode.set(inode, name);
  }
  const processes = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  for (const pid of processes) {
    const inode = await readlink(`/proc/${pid}/ns/net`).catch(() => '');
    const name = nameByInode.get(inode);
    if (name !== undefined) used.add(name);
  }
  return used;
}
