import type { JsonObject } from '../documents.ts';

export interface ClassicCluster {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly address: string;
  readonly port: number;
  readonly isActive: boolean;
  readonly activeWorkers: number;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly virtualization: readonly string[];
  /** Unix milliseconds; absent until something was heard. */
  readonly lastSeenAtMs: number | undefined;
}

/**
 * A cluster as the compatible interface shows it (root-api 4.6): `_id` is plain text, every field is present from
 * registration on (Q30), counts are integers (Q31), lists have no duplicates (Q32).
 */
export function clusterToWire(cluster: ClassicCluster): JsonObject {
  const name = cluster.name || 'Unknown Cluster';
  const location = cluster.location || 'Unknown Location';
  const vcpus = Math.trunc(cluster.vcpus);
  const memory = Math.trunc(cluster.memoryMib);
  return {
    _id: cluster.id,
    candidate_name: name,
    cluster_name: name,
    candidate_location: location,
    cluster_location: location,
    ip: cluster.address,
    port: String(cluster.port),
    active: cluster.isActive,
    active_nodes: Math.trunc(cluster.activeWorkers),
    vcpus,
    total_cpu_cores: vcpus,
    cpu_percent: cluster.cpuPercent,
    aggregated_cpu_percent: cluster.cpuPercent,
    memory,
    memory_in_mb: memory,
    memory_percent: cluster.memoryPercent,
    vgpus: 0,
    total_gpu_cores: 0,
    gpu_percent: 0,
    gpu_temp: 0,
    gpu_drivers: [],
    vram: 0,
    vram_percent: 0,
    virtualization: [...new Set(cluster.virtualization)],
    supported_addons: [],
    csi_drivers: [],
    cpu_history: [],
    memory_history: [],
    last_modified_timestamp: (cluster.lastSeenAtMs ?? 0) / 1000,
  };
}
