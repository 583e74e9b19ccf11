import { readdir, readFile, readlink } from 'node:fs/promises';

/** A socket that waits for others on this host. */
export interface ListeningSocket {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  /** As the kernel writes it: hexadecimal, zeros only for "every address". */
  readonly addressHex: string;
  readonly inode: string;
}

export interface SocketHolder {
  readonly pid: number;
  /** Name of the program, at most 15 characters. */
  readonly program: string;
}

type Protocol = ListeningSocket['protocol'];

/** LISTEN for TCP; UDP sockets have no such state, an unconnected one takes from everybody. */
const WAITING_STATE: Readonly<Record<Protocol, string>> = { tcp: '0A', udp: '07' };
/** `::1` in the kernel's byte order. Nothing that IPv4 could reach. */
const IPV6_LOOPBACK = '00000000000000000000000001000000';

/** Parses `/proc/net/tcp`, `tcp6`, `udp` or `udp6`: only sockets that wait and that IPv4 traffic could reach. */
export function parseListeningSockets(text: string, protocol: Protocol): ListeningSocket[] {
  const state = WAITING_STATE[protocol];
  const sockets: ListeningSocket[] = [];
  for (const line of text.split('\n')) {
    // Busy hosts have tens of thousands of connections; most lines end here.
    if (!line.includes(` ${state} `)) continue;
    const match = /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line);
    if (match === null || match[3] !== state || match[1] === IPV6_LOOPBACK) continue;
    const [, addressHex = '', portHex = ''] = match;
    const inode = line.trim().split(/ +/)[9] ?? '0';
    sockets.push({ port: Number.parseInt(portHex, 16), protocol, addressHex, inode });
  }
  return sockets;
}

/** All such sockets of our own network namespace. */
export async function listeningSockets(protocol: Protocol): Promise<ListeningSocket[]> {
  const texts = await Promise.all(
    [protocol, `${protocol}6`].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) => parseListeningSockets(text, protocol));
}

/** The process that holds a socket, if we may see it. Looks at the open files of every process: ask seldom. */
export async function findSocketHolder(inode: string): Promise<SocketHolder | undefined> {
  const wanted = `socket:[${inode}]`;
  const processes = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  for (const pid of processes) {
    const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const file of files) {
      const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
      if (target !== wanted) continue;
      const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '?');
      return { pid: Number(pid), program: program.trim() };
    }
  }
  return undefined;
}
