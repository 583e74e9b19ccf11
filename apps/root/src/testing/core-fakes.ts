import { OakestraError } from '@oakestra/contracts';
import { readClusterReport } from '@oakestra/contracts/classic';
import type { Clusters, ClusterView } from '../clusters/index.ts';
import type { Deployments, InstanceView, ServiceView } from '../deployments/index.ts';
import type { LegacyClusters } from '../legacy-clusters/index.ts';

/** Services and instances in memory; every instance runs on `clusterId` as soon as it is asked for. */
export function createFakeDeployments(clusterId: string): Deployments & { clear(): void } {
  const services = new Map<string, ServiceView>();
  const existing = (id: string): ServiceView => {
    const service = services.get(id);
    if (service !== undefined) return service;
    throw new OakestraError('not-found', 'service-not-found', `There is no service ${id}.`);
  };
  return {
    clear: () => services.clear(),
    async registerService({ id, ownerUserId, document }) {
      const none = { nextInstanceNumber: 0, status: undefined, statusDetail: '', instances: [] };
      const unchanged = {
        revision: 1,
        rollout: undefined,
        previousDocument: undefined,
        lastOutcome: undefined,
      };
      services.set(id, { id, ownerUserId, document, ...none, ...unchanged });
    },
    async updateService(id, document) {
      const service = existing(id);
      services.set(id, { ...service, document, revision: service.revision + 1 });
    },
    async removeService(id) {
      services.delete(existing(id).id);
    },
    service: (id) => services.get(id),
    serviceByJobName: (name) => [...services.values()].find(({ document }) => document.job_name === name),
    services: () => [...services.values()],
    async requestInstance(id) {
      const service = existing(id);
      const number = service.nextInstanceNumber;
      const instances = [...service.instances, runningInstance(id, number, clusterId)];
      services.set(id, { ...service, status: 'RUNNING', nextInstanceNumber: number + 1, instances });
      return { number };
    },
    async requestInstanceAt(id, cluster) {
      return cluster === clusterId ? this.requestInstance(id) : undefined;
    },
    async removeInstance(id, number) {
      const service = existing(id);
      const instances = service.instances.filter((instance) => instance.number !== number);
      if (instances.length === service.instances.length) {
        throw new OakestraError('not-found', 'instance-not-found', `There is no instance ${number}.`);
      }
      services.set(id, { ...service, instances });
    },
    async removeAllInstances(id) {
      services.set(id, { ...existing(id), instances: [] });
    },
    async setReplicas(id, count) {
      const { instances } = existing(id);
      for (const { number } of instances.slice(count)) await this.removeInstance(id, number);
      for (let missing = count - instances.length; missing > 0; missing -= 1) await this.requestInstance(id);
    },
  };
}

function runningInstance(serviceId: string, number: number, clusterId: string): InstanceView {
  return {
    ...{ serviceId, number, clusterId, status: 'RUNNING', statusDetail: '', logs: 'ready\n' },
    placement: undefined,
    revision: 1,
    ...{ workerId: 'd'.repeat(24), workerAddress: '192.0.2.9', workerPort: 50_103 },
    ...{ cpuPercent: 1.5, memoryBytes: 1_048_576, diskBytes: 4096, modifiedAtMs: 1_795_334_263_360 },
    sealedReferences: [],
    hasNewerVersions: false,
  };
}

export function createFakeClusters(clusters: readonly ClusterView[]): Clusters {
  const views = new Map(clusters.map((cluster) => [cluster.id, cluster]));
  const all = () => [...views.values()];
  return {
    all: () => all().filter(({ availability }) => availability !== 'removed'),
    removed: () => all().filter(({ availability }) => availability === 'removed'),
    cluster: (id) => views.get(id),
    async setAvailability(id, availability) {
      const cluster = views.get(id);
      if (cluster !== undefined) views.set(id, { ...cluster, availability });
    },
  };
}

/** One cluster of the original; its reports are read and forgotten. */
export function createFakeLegacyClusters(clusterId: string): Pick<LegacyClusters, 'report'> {
  return {
    report(id, body) {
      if (id !== clusterId)
        throw new OakestraError('not-found', 'cluster-not-found', `There is no cluster ${id}.`);
      readClusterReport(body);
    },
  };
}
