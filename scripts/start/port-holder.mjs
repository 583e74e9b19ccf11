import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Which program listens on a TCP port, for a message: ` by nginx (process 1234)`, or nothing where that cannot be told.
 * @param {number} port
 */
export function holderOf(port) {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return '';
  for (const pid of listFolder('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of listFolder(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) return ` by ${nameOf(pid)} (process ${pid})`;
    }
  }
  return '';
}

/** @param {number} port */
function listeningInodes(port) {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  /** @type {Set<string>} */
  const inodes = new Set();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readOrEmpty(file).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === '0A' && local.endsWith(`:${wanted}`) && inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

/** @param {string} pid */
const nameOf = (pid) => readOrEmpty(`/proc/${pid}/comm`).trim() || 'a program';

/** @param {string} path */
function readOrEmpty(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** @param {string} path */
function listFolder(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** @param {string} path */
function linkOf(path) {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
