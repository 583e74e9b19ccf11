import type { Labels } from '@oakestra/contracts';
import type { ClassicClusterFigures } from '@oakestra/contracts/classic';
import type { Availability } from '@oakestra/ownership';

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
  readonly availability: Availability;
  /** Instances that it holds. */
  readonly instanceCount: number;
  /** Unix milliseconds of the last message. */
  readonly lastSeenAtMs: number | undefined;
  /** Of clusters of the original, after their first report. */
  readonly reported?: ClassicClusterFigures | undefined;
}

export interface Clusters {
  /** Without those that were removed. */
  all(): readonly ClusterView[];
  removed(): readonly ClusterView[];
  /** Also one that was removed. */
  cluster(id: string): ClusterView | undefined;
  /**
   * What an operator wants of it; resolves when it is on disk. Rejects `cluster-not-empty` for the removal of one that
   * holds instances unless that is forced, and `cluster-not-cleared` for the return of one that is not ready for it.
   */
  setAvailability(
    id: string,
    availability: Availability,
    options?: { readonly isForced: boolean },
  ): Promise<void>;
}
