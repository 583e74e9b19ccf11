// What a containerd leaves behind when it stops: by design its shims, their containers and mounts go on. Here they
// are found by the address of the containerd they belong to, so that others' are never touched.
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runCommand } from './command.mjs';
import { startTimeOf } from './process-identity.mjs';
import { removeCgroup } from './runc-remains.mjs';

/** @param {string} file */
function readOrEmpty(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function allPids() {
  return readdirSync('/proc')
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number);
}

/**
 * Shims that were started by the containerd with this socket.
 * @param {string} address
 * @returns {number[]} process ids
 */
export function shimsOf(address) {
  return allPids().filter((pid) => {
    const words = readOrEmpty(`/proc/${pid}/cmdline`).split('\0');
    const at = words.indexOf('-address');
    return basename(words[0] ?? '').startsWith('containerd-shim') && at > 0 && words[at + 1] === address;
  });
}

/**
 * All processes below the given ones, the nearest first.
 * @param {readonly number[]} ancestors
 */
export function descendantsOf(ancestors) {
  /** @type {Map<number, number[]>} */
  const children = new Map();
  for (const pid of allPids()) {
    const stat = readOrEmpty(`/proc/${pid}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (parent > 0) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = [];
  let generation = [...ancestors];
  while (generation.length > 0) {
    generation = generation.flatMap((pid) => children.get(pid) ?? []);
    found.push(...generation);
  }
  return found;
}

/**
 * Mount points at or below a folder, the deepest first.
 * @param {string} folder
 * @param {string} [mountinfo]
 */
export function mountsBelow(folder, mountinfo = readOrEmpty('/proc/self/mountinfo')) {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) =>
      path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .reverse();
}

/**
 * The cgroup directories of a process, in every mounted hierarchy, without the roots.
 * @param {number | 'self'} pid
 * @returns {string[]}
 */
export function cgroupsOf(pid) {
  const hierarchies = readOrEmpty('/proc/self/mountinfo')
    .split('\n')
    .flatMap((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const mountPoint = before.split(' ')[4];
      const [type, , options = ''] = after.split(' ');
      if (!mountPoint || (type !== 'cgroup' && type !== 'cgroup2')) return [];
      return [{ mountPoint, names: type === 'cgroup2' ? [''] : options.split(',') }];
    });
  return readOrEmpty(`/proc/${pid}/cgroup`)
    .split('\n')
    .flatMap((line) => {
      const [, controllers = '', ...rest] = line.split(':');
      const path = rest.join(':');
      if (path === '' || path === '/') return [];
      const hierarchy = hierarchies.find(({ names }) =>
        controllers.split(',').every((name) => names.includes(name)),
      );
      return hierarchy ? [join(hierarchy.mountPoint, path)] : [];
    });
}

/**
 * Kills the shims of a containerd and everything that runs under them, and removes the cgroups this empties.
 * @param {string} address
 */
export async function killShims(address) {
  const shims = shimsOf(address);
  if (shims.length === 0) return;
  const below = descendantsOf(shims);
  const own = new Set(cgroupsOf('self'));
  const cgroups = new Set(below.flatMap((pid) => cgroupsOf(pid)).filter((path) => !own.has(path)));
  const sockets = shims.flatMap(shimSockets);
  const victims = [...below, ...shims].map((pid) => ({ pid, startTime: startTimeOf(pid) }));
  const isAlive = (/** @type {{ pid: number, startTime: string | undefined }} */ victim) =>
    victim.startTime !== undefined && startTimeOf(victim.pid) === victim.startTime;
  for (const victim of victims) {
    if (!isAlive(victim)) continue;
    try {
      process.kill(victim.pid, 'SIGKILL');
    } catch {
      // It ended by itself a moment ago.
    }
  }
  const deadline = performance.now() + 10_000;
  while (victims.some(isAlive) && performance.now() < deadline)
    await new Promise((wake) => setTimeout(wake, 20));
  for (const socket of sockets) rmSync(socket, { force: true });
  for (const path of cgroups) removeCgroup(path);
}

/**
 * The socket that a shim listens on lies outside containerd's own folders; its bundle names it.
 * @param {number} shim
 */
function shimSockets(shim) {
  try {
    const address = readFileSync(join(readlinkSync(`/proc/${shim}/cwd`), 'address'), 'utf8').trim();
    return address.startsWith('unix:///') ? [address.slice('unix://'.length)] : [];
  } catch {
    return [];
  }
}

/**
 * Unmounts everything at or below a folder; what is busy is detached.
 * @param {string} folder
 */
export async function unmountBelow(folder) {
  for (const path of mountsBelow(folder)) {
    const { code } = await runCommand('umount', [path]);
    if (code !== 0) await runCommand('umount', ['--lazy', path]);
  }
}
