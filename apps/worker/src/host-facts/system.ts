import { readdir, readFile } from 'node:fs/promises';
import { hostname, machine, release } from 'node:os';
import { parseKernelStat, parseOsRelease, parseUptimeSeconds } from '@oakestra/host';

export interface SystemFacts {
  readonly hostname: string;
  readonly kernelVersion: string;
  /** As `uname -m` says: `x86_64`, `aarch64`. */
  readonly machine: string;
  readonly uptimeSeconds: number;
  /** Unix seconds. */
  readonly bootTimeSeconds: number;
  readonly processes: number;
  /** `debian`, `ubuntu`, …; empty when the system does not say. */
  readonly platform: string;
  readonly platformFamily: string;
  readonly platformVersion: string;
  /** Identifies the installation; empty when there is none. */
  readonly hostId: string;
}

export async function readSystem(): Promise<SystemFacts> {
  const [stat, uptime, osRelease, hostId, processes] = await Promise.all([
    read('/proc/stat'),
    read('/proc/uptime'),
    read('/etc/os-release'),
    read('/etc/machine-id'),
    readdir('/proc').catch(() => []),
  ]);
  return {
    hostname: hostname(),
    kernelVersion: release(),
    machine: machine(),
    uptimeSeconds: Math.floor(parseUptimeSeconds(uptime) ?? 0),
    bootTimeSeconds: parseKernelStat(stat)?.bootTimeSeconds ?? 0,
    processes: processes.filter((entry) => /^\d+$/.test(entry)).length,
    ...platformOf(osRelease),
    hostId: hostId.trim(),
  };
}

/** Distribution and version out of the text of `/etc/os-release`. */
export function platformOf(
  osRelease: string,
): Pick<SystemFacts, 'platform' | 'platformFamily' | 'platformVersion'> {
  const { ID = '', ID_LIKE = '', VERSION_ID = '' } = parseOsRelease(osRelease);
  return { platform: ID, platformFamily: ID_LIKE.split(' ')[0] || ID, platformVersion: VERSION_ID };
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
