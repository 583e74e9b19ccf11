import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killShims, unmountBelow } from '../../scripts/setup/containerd-remains.mjs';
import { removeRuncStates } from '../../scripts/setup/runc-remains.mjs';
import { NAMESPACE_FOLDER, NETWORK_PREFIX, removeLink, removeNamespace } from './hosts/index.ts';
import { isOwnerAlive, OWNER_VARIABLE, ownerInName, SCRATCH_PREFIX } from './processes/index.ts';

export interface SweepResult {
  readonly processes: readonly number[];
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  readonly directories: readonly string[];
}

/**
 * Removes what earlier test runs left behind that were killed before they could tidy up: processes, containers,
 * networks, mounts and temporary folders. What belongs to a run that is still going is left alone. Needs root.
 */
export async function sweep(): Promise<SweepResult> {
  // Containerds first: their shims are found by the folder that the last step removes.
  const directories = abandoned(listFolder(tmpdir()), SCRATCH_PREFIX).map((name) => join(tmpdir(), name));
  const processes = abandonedProcesses();
  for (const pid of processes) kill(pid);
  for (const directory of directories) {
    for (const place of [directory, ...listFolder(directory).map((name) => join(directory, name))]) {
      await killShims(join(place, 'containerd.sock'));
      removeRuncStates(join(place, 'containerd-state'));
    }
  }
  const namespaces = abandoned(listFolder(NAMESPACE_FOLDER), NETWORK_PREFIX);
  for (const name of namespaces) removeNamespace(name);
  const links = abandoned(linkNames(), NETWORK_PREFIX);
  for (const name of links) removeLink(name);
  for (const directory of directories) {
    await unmountBelow(directory);
    await rm(directory, { recursive: true, force: true });
  }
  return { processes, namespaces, links, directories };
}

function abandoned(names: readonly string[], prefix: string): string[] {
  return names.filter((name) => {
    const owner = ownerInName(name, prefix);
    return owner !== undefined && !isOwnerAlive(owner);
  });
}

function abandonedProcesses(): number[] {
  return listFolder('/proc')
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number)
    .filter((pid) => {
      const owner = ownerInEnvironment(pid);
      // Shims are killed together with their containers, by folder.
      return owner !== undefined && !isOwnerAlive(owner) && !isShim(pid);
    });
}

function ownerInEnvironment(pid: number): string | undefined {
  const entry = readOrEmpty(`/proc/${pid}/environ`)
    .split('\0')
    .find((text) => text.startsWith(`${OWNER_VARIABLE}=`));
  return entry?.slice(OWNER_VARIABLE.length + 1);
}

const isShim = (pid: number): boolean => readOrEmpty(`/proc/${pid}/comm`).startsWith('containerd-shim');

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkNames(): string[] {
  const { stdout } = spawnSync('ip', ['-json', 'link', 'show'], { encoding: 'utf8' });
  return (JSON.parse(stdout || '[]') as { readonly ifname: string }[]).map((link) => link.ifname);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
