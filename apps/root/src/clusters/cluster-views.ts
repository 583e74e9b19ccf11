import type { FleetCommand } from '@oakestra/contracts';
import type { DeploymentEngine } from '../deployments/index.ts';
import type { Fleet } from '../fleet/index.ts';
import type { Clusters, ClusterView } from './clusters.ts';
import type { ClusterRegistry, RegisteredCluster } from './registry.ts';

/** Joins what is registered with what the links say. */
export function createClusterViews({
  registry,
  deployments,
  fleet,
  lastSeenAtMs,
  send,
  reported,
}: {
  readonly registry: ClusterRegistry;
  readonly deployments: Pick<DeploymentEngine, 'clusterState' | 'setClusterAvailability'>;
  readonly fleet: Pick<Fleet, 'clusterLabels'>;
  readonly lastSeenAtMs: (clusterId: string) => number | undefined;
  readonly send: (clusterId: string, command: FleetCommand) => void;
  /** Of clusters of the original. */
  readonly reported: (clusterId: string) => ClusterView['reported'];
}): Clusters {
  const viewOf = (cluster: RegisteredCluster): ClusterView => {
    const state = deployments.clusterState(cluster.id);
    const facts = state?.facts;
    return {
      id: cluster.id,
      name: cluster.name,
      location: cluster.location,
      address: cluster.address,
      port: cluster.port,
      isActive: state?.isUp === true,
      activeWorkers: facts?.activeWorkers ?? 0,
      vcpus: facts?.vcpus ?? 0,
      memoryMib: facts?.memoryAvailableMib ?? 0,
      cpuPercent: facts?.cpuPercent ?? 0,
      memoryPercent: facts?.memoryPercent ?? 0,
      virtualization: facts?.virtualization ?? [],
      ...fleet.clusterLabels(cluster.id),
      availability: state?.mark.availability ?? 'open',
      instanceCount: state?.keys.size ?? 0,
      lastSeenAtMs: lastSeenAtMs(cluster.id),
      reported: reported(cluster.id),
    };
  };
  const views = (): ClusterView[] => registry.all().map(viewOf);
  return {
    all: () => views().filter(({ availability }) => availability !== 'removed'),
    removed: () => views().filter(({ availability }) => availability === 'removed'),
    async setAvailability(id, availability, options = { isForced: false }) {
      await deployments.setClusterAvailability(id, availability, options);
      if (availability === 'removed') send(id, { type: 'removed' });
    },
    cluster(id) {
      const cluster = registry.byId(id);
      return cluster === undefined ? undefined : viewOf(cluster);
    },
  };
}
