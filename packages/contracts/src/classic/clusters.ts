import type { JsonObject } from '../documents.ts';
import type { ReportedResources } from './cluster-report.ts';

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
  /** Of clusters of the original. */
  readonly reported?: ClassicClusterFigures | undefined;
}

/** What only the reports of the original say. */
export interface ClassicClusterFigures extends ReportedResources {
  /** One entry for each report, the newest last. */
  readonly history: readonly ClassicClusterSample[];
}

export interface ClassicClusterSample {
  /** Unix milliseconds. */
  readonly atMs: number;
  /** null: the report did not say. */
  readonly cpuPercent: number | null;
  readonly memoryPercent: number | null;
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
  const { reported } = cluster;
  const vgpus = Math.trunc(reported?.vgpus ?? 0);
  const historyOf = (figure: (sample: ClassicClusterSample) => number | null): JsonObject[] =>
    (reported?.history ?? []).map((sample) => ({ value: figure(sample), timestamp: sample.atMs / 1000 }));
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
    vgpus,
    total_gpu_cores: vgpus,
    gpu_percent: reported?.gpuPercent ?? 0,
    gpu_temp: reported?.gpuTemperature ?? 0,
    gpu_drivers: reported?.gpuDrivers ?? [],
    vram: Math.trunc(reported?.vramMib ?? 0),
    vram_percent: reported?.vramPercent ?? 0,
    virtualization: [...new Set(cluster.virtualization)],
    supported_addons: reported?.supportedAddons ?? [],
    csi_drivers: reported?.csiDrivers ?? [],
    cpu_history: historyOf(({ cpuPercent }) => cpuPercent),
    memory_history: historyOf(({ memoryPercent }) => memoryPercent),
    last_modified_timestamp: (cluster.lastSeenAtMs ?? 0) / 1000,
  };
}
