import type { Mount } from '@oakestra/host';
import type { NetworkInterface } from './network-interfaces.ts';
import type { NodeFacts, NodeUsage } from './node-facts.ts';
import type { SystemFacts } from './system.ts';

/** The node information object as it travels (node-engine 6, cluster-protocol 4.2). */
export interface NodeInformation {
  readonly id: string;
  readonly host: string;
  readonly ip: string;
  readonly port: string;
  readonly system_info: Readonly<Record<string, string>> | null;
  readonly cpu_percent: number;
  readonly vcpus: number;
  readonly architecture: string;
  readonly memory_percent: number;
  /** MiB, available. */
  readonly memory: number;
  readonly disk_info: Readonly<Record<string, string>> | null;
  readonly network_info: Readonly<Record<string, string>> | null;
  readonly gpu_driver: string;
  readonly gpu_usage: number;
  readonly vgpus: number;
  readonly gpu_temp: number;
  readonly vram_percent: number;
  readonly vram: number;
  readonly virtualization: readonly string[] | null;
  readonly supported_addons: readonly string[] | null;
  readonly csi_drivers:
    | readonly {
        readonly csi_driver_name: string;
        readonly csi_driver_endpoint: string;
      }[]
    | null;
  readonly Overlay: boolean;
  readonly OverlaySocket: string;
  readonly LogDirectory: string;
  readonly NetManagerPort: number;
  readonly ClusterAddress: string;
}

/** What the worker adds to what it finds on its host. */
export interface Registration {
  /** Name of the node, usually that of the host; placement constraints refer to it. */
  readonly host: string;
  readonly port: string;
  /** Runtimes, such as `docker`. */
  readonly virtualization: readonly string[];
  readonly clusterAddress: string;
}

/** The object with every field filled, for registering. */
export function registrationInformation(
  facts: NodeFacts,
  usage: NodeUsage,
  registration: Registration,
): NodeInformation {
  return {
    ...usageInformation(usage),
    host: registration.host,
    port: registration.port,
    system_info: systemInfo(facts.system),
    architecture: facts.architecture,
    disk_info: {
      '/': String(Math.round(facts.disks.rootUsedPercent)),
      ...numbered('partition_', facts.disks.mounts.map(partitionDocument)),
    },
    network_info: numbered('interface_', facts.interfaces.map(interfaceDocument)),
    virtualization: registration.virtualization,
    supported_addons: [],
    csi_drivers: [],
    ClusterAddress: registration.clusterAddress,
  };
}

/** The object with only the changing fields filled, as in `nodes/<id>/information`; the others carry their zero. */
export function usageInformation(usage: NodeUsage): NodeInformation {
  return {
    id: '',
    host: '',
    ip: usage.address ?? '',
    port: '',
    system_info: null,
    cpu_percent: usage.cpuPercent,
    vcpus: usage.vcpus,
    architecture: '',
    memory_percent: usage.memoryPercent,
    memory: usage.memoryAvailableMib,
    disk_info: null,
    network_info: null,
    gpu_driver: '-',
    gpu_usage: 0,
    vgpus: 0,
    gpu_temp: 0,
    vram_percent: 0,
    vram: 0,
    virtualization: null,
    supported_addons: null,
    csi_drivers: null,
    Overlay: false,
    OverlaySocket: '',
    LogDirectory: '',
    NetManagerPort: 0,
    ClusterAddress: '',
  };
}

function systemInfo(system: SystemFacts): Record<string, string> {
  return {
    kernel_version: system.kernelVersion,
    architecture: system.machine,
    os_version: 'linux',
    uptime: String(system.uptimeSeconds),
    full_stats: JSON.stringify({
      hostname: system.hostname,
      uptime: system.uptimeSeconds,
      bootTime: system.bootTimeSeconds,
      procs: system.processes,
      os: 'linux',
      platform: system.platform,
      platformFamily: system.platformFamily,
      platformVersion: system.platformVersion,
      kernelVersion: system.kernelVersion,
      kernelArch: system.machine,
      virtualizationSystem: '',
      virtualizationRole: '',
      hostid: system.hostId,
    }),
  };
}

function partitionDocument({ device, mountpoint, type, options }: Mount): string {
  return JSON.stringify({ device, mountpoint, fstype: type, opts: options.join(',') });
}

function interfaceDocument(one: NetworkInterface): string {
  return JSON.stringify({
    index: one.index,
    mtu: one.mtu,
    name: one.name,
    hardwareaddr: one.mac,
    flags: one.flags,
    addrs: one.addresses.map((addr) => ({ addr })),
  });
}

function numbered(prefix: string, documents: readonly string[]): Record<string, string> {
  return Object.fromEntries(documents.map((document, index) => [`${prefix}${index}`, document]));
}
