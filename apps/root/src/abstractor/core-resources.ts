import { OakestraError } from '@oakestra/contracts';
import { clusterToWire } from '@oakestra/contracts/classic';
import type { Clusters, ClusterView } from '../clusters/index.ts';
import type { CandidateRecord, ResourcesPort } from './ports.ts';

/** Clusters as candidates. They register and report by themselves, over links of their own. */
export function coreResources(clusters: Clusters): ResourcesPort {
  const refuse = async (): Promise<never> => {
    throw new OakestraError(
      'unsupported',
      'clusters-speak-for-themselves',
      'Clusters of this root register, report and leave over their own links; they cannot be written here.',
    );
  };
  const recordOf = (cluster: ClusterView): CandidateRecord => ({
    document: { ...clusterToWire(cluster), _id: cluster.id },
    isActive: cluster.isActive,
  });
  return {
    all: async () => clusters.all().map(recordOf),
    async find(id) {
      const cluster = clusters.cluster(id);
      return cluster === undefined ? undefined : recordOf(cluster);
    },
    insert: refuse,
    upsert: refuse,
    async report(id) {
      return clusters.cluster(id) === undefined ? undefined : refuse();
    },
    async remove(id) {
      if (clusters.cluster(id) !== undefined) await refuse();
    },
  };
}
