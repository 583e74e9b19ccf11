import { readFile } from 'node:fs/promises';
import { parseIpv4 } from '@oakestra/netplan';

/** Where systemd-resolved keeps the real servers, when `/etc/resolv.conf` only names its stub on loopback. */
const RESOLVED_PATH = '/run/systemd/resolve/resolv.conf';
const HOST_PATH = '/etc/resolv.conf';

/**
 * The `/etc/resolv.conf` of an instance: search domains and options of the host, and the name servers that an
 * instance can reach: those with an IPv4 address that is not on loopback.
 */
export function instanceResolvConf(hostText: string): string {
  const lines = hostText.split('\n').map((line) => line.trim());
  const kept = lines.filter((line) => {
    const [keyword = '', value = ''] = line.split(/\s+/);
    if (keyword === 'nameserver') return isReachable(value);
    return keyword === 'search' || keyword === 'domain' || keyword === 'options';
  });
  return kept.map((line) => `${line}\n`).join('');
}

/** Does the text name a server that an instance can reach? */
export function hasReachableNameserver(text: string): boolean {
  return /^nameserver/m.test(instanceResolvConf(text));
}

function isReachable(server: string): boolean {
  const address = parseIpv4(server);
  return address !== undefined && address !== 0 && address >>> 24 !== 127;
}

/**
 * Reads the host's settings and makes those of an instance from them. Without any reachable server the result has
 * none: names of a third party's servers are never put there.
 */
export async function readInstanceResolvConf(): Promise<string> {
  const hostText = await readFile(HOST_PATH, 'utf8').catch(() => '');
  if (hasReachableNameserver(hostText)) return instanceResolvConf(hostText);
  const resolvedText = await readFile(RESOLVED_PATH, 'utf8').catch(() => '');
  return instanceResolvConf(hasReachableNameserver(resolvedText) ? resolvedText : hostText);
}

/** What may stand in a line of `/etc/hosts` as one name. */
const HOSTNAME = /^[A-Za-z0-9._-]+$/;

/** The `/etc/hosts` of an instance; a hostname that is none is left out. */
export function instanceHosts(instance: { readonly hostname: string; readonly address: string }): string {
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...(HOSTNAME.test(instance.hostname) ? [`${instance.address}\t${instance.hostname}`] : []),
    '',
  ].join('\n');
}
