export {
  type CgroupLayout,
  cgroupDirectories,
  detectCgroupLayout,
  readCgroupLayout,
} from './cgroups/layout.ts';
export { type CgroupMembership, parseCgroupMembership } from './cgroups/membership.ts';
export { type RemoveCgroupOptions, removeCgroup } from './cgroups/remove.ts';
export { isMissingProgram, missingProgram } from './missing-program.ts';
export { type Conntrack, createConntrack, type TrackedConnections } from './network/conntrack.ts';
export { createIp, type Ip, type IpBatchOptions, type IpLink, type IpRoute } from './network/ip.ts';
export {
  hostInterfaceNameOf,
  isHostInterfaceName,
  listNamespaces,
  namespaceNameOf,
  namespacePath,
  namespacesInUse,
} from './network/namespaces.ts';
export { createNft, type Nft, type NftChain, type NftPortElement, type NftRule } from './network/nft.ts';
export { readSysctl, writeSysctl } from './network/sysctl.ts';
export { type DiskUsage, diskUsageOf, readDiskUsage } from './procfs/disk.ts';
export { type MemoryInfo, parseMemoryInfo } from './procfs/meminfo.ts';
export { type Mount, parseMounts } from './procfs/mounts.ts';
export { parseOsRelease } from './procfs/os-release.ts';
export { type KernelRoute, parseKernelRoutes, selectRoute } from './procfs/routes.ts';
export {
  findSocketHolder,
  type ListeningSocket,
  listeningSockets,
  parseListeningSockets,
  type SocketHolder,
} from './procfs/sockets.ts';
export { busyPercent, type CpuTimes, type KernelStat, parseKernelStat } from './procfs/stat.ts';
export { parseUptimeSeconds } from './procfs/uptime.ts';
export { type Run, type RunOptions, type RunResult, run } from './run.ts';
