import type { Labels } from '@oakestra/contracts';

/** A cluster as the faces show it. */
export interface ClusterView {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly address: string;
  readonly port: number;
  /** Its link is up, or was lost so recently that nothing is concluded from it. */
  readonly isActive: boolean;
  readonly activeWorkers: number;
  readonly vcpus: number;
  /** Available memory of all workers. */
  readonly memoryMib: number;
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly virtualization: readonly string[];
  /** Those that hold. */
  readonly labels: Labels;
  /** Those of them that were set over the API. */
  readonly setLabels: Labels;
  /** Unix milliseconds of the last message. */
  readonly lastSeenAtMs: number | undefined;
}

export interface Clusters {
  all(): readonly ClusterView[];
  cluster(id: string): ClusterView | undefined;
}
