import { arch } from 'node:os';
import { goArchitecture } from './architecture.ts';
import { createCpuReader } from './cpu.ts';
import { type DiskFacts, readDisks } from './disks.ts';
import { readMemory } from './memory.ts';
import { type NetworkInterface, readNetworkInterfaces } from './network-interfaces.ts';
import { type PrimaryAddressOptions, readPrimaryAddress } from './primary-address.ts';
import { readSystem, type SystemFacts } from './system.ts';

/** What does not change while the worker runs; told once, when it registers. */
export interface NodeFacts {
  readonly system: SystemFacts;
  /** Go naming: `amd64`, `arm64`, `arm`. */
  readonly architecture: string;
  readonly memoryTotalMib: number;
  readonly disks: DiskFacts;
  readonly interfaces: readonly NetworkInterface[];
}

/** What changes all the time. */
export interface NodeUsage {
  /** Under which others reach this host; undefined without a network. */
  readonly address: string | undefined;
  /** Busy share of all processors since the reading before, 0 to 100. */
  readonly cpuPercent: number;
  readonly vcpus: number;
  readonly memoryAvailableMib: number;
  /** Used share, 0 to 100. */
  readonly memoryPercent: number;
}

/** Reads everything that stays; one process and some files. Never fails: what cannot be read is empty. */
export async function readNodeFacts(): Promise<NodeFacts> {
  const [system, memory, disks, interfaces] = await Promise.all([
    readSystem(),
    readMemory(),
    readDisks(),
    readNetworkInterfaces(),
  ]);
  return {
    system,
    architecture: goArchitecture(arch()),
    memoryTotalMib: memory.memoryTotalMib,
    disks,
    interfaces,
  };
}

/** A function that reads three small files of the kernel per call. */
export function createUsageReader(addressOptions: PrimaryAddressOptions = {}): () => Promise<NodeUsage> {
  const readCpu = createCpuReader();
  return async () => {
    const [cpu, memory, address] = await Promise.all([
      readCpu(),
      readMemory(),
      readPrimaryAddress(addressOptions),
    ]);
    return {
      address,
      cpuPercent: cpu.cpuPercent,
      vcpus: cpu.vcpus,
      memoryAvailableMib: memory.memoryAvailableMib,
      memoryPercent: memory.memoryPercent,
    };
  };
}
