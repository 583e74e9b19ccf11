import type { JsonObject } from '@oakestra/contracts';
import { applicationToWire, serviceToWire } from '@oakestra/contracts/classic';
import type { ApplicationView } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { ServiceView } from '../deployments/index.ts';

export function applicationView(application: ApplicationView, ownerName: string): JsonObject {
  return applicationToWire({ ...application, ownerName });
}

export function serviceView(service: ServiceView, clusters: Clusters): JsonObject {
  const locationOf = (clusterId: string | undefined) =>
    clusterId === undefined ? undefined : clusters.cluster(clusterId)?.location;
  const instances = service.instances.map((instance) => ({
    ...instance,
    clusterLocation: locationOf(instance.clusterId),
  }));
  return serviceToWire({ ...service, instances });
}
