import { createHash } from 'node:crypto';
import type {
  ApplicationDocument,
  ClusterResource,
  EventResource,
  InstanceResource,
  ServiceResource,
  WorkerResource,
} from '@oakestra/contracts/api';
import type { ApplicationView } from '../applications/index.ts';
import type { Clusters, ClusterView } from '../clusters/index.ts';
import type { InstanceView, PlacementView, ServiceView } from '../deployments/index.ts';
import type { EventJournal, JournalEvent } from '../events/index.ts';
import type { WorkerView } from '../fleet/index.ts';

const timeOf = (atMs: number | undefined): string | null =>
  atMs === undefined ? null : new Date(atMs).toISOString();

export function applicationResource(application: ApplicationView): ApplicationDocument {
  const { id, name, namespace, description, ownerUserId, serviceIds } = application;
  return { id, name, namespace, description, ownerUserId, serviceIds: [...serviceIds] };
}

export function instanceResource(instance: InstanceView, clusters: Clusters): InstanceResource {
  const { clusterId } = instance;
  return {
    serviceId: instance.serviceId,
    number: instance.number,
    status: instance.status,
    statusDetail: instance.statusDetail,
    placement: placementResource(instance.placement, clusters),
    revision: instance.revision,
    clusterId: clusterId ?? null,
    clusterName: clusterId === undefined ? null : (clusters.cluster(clusterId)?.name ?? null),
    workerId: instance.workerId ?? null,
    workerAddress: instance.workerAddress ?? null,
    cpuPercent: instance.cpuPercent ?? null,
    memoryBytes: instance.memoryBytes ?? null,
    diskBytes: instance.diskBytes ?? null,
    references: instance.sealedReferences.map(({ kind, name, version }) => ({ kind, name, version })),
    hasNewerVersions: instance.hasNewerVersions,
    changedAt: timeOf(instance.modifiedAtMs),
  };
}

function placementResource(
  placement: PlacementView | undefined,
  clusters: Clusters,
): InstanceResource['placement'] {
  if (placement === undefined) return null;
  const { code, reason, memberKind, rejections } = placement;
  return {
    ...{ code, reason },
    rejections: rejections.map(({ member: id, wanted = null, available = null, ...why }) => ({
      ...{ member: memberKind, id, ...why, wanted, available },
      name: memberKind === 'cluster' ? (clusters.cluster(id)?.name ?? null) : null,
    })),
  };
}

export function serviceResource(service: ServiceView, clusters: Clusters): ServiceResource {
  return {
    id: service.id,
    applicationId: service.document.applicationID,
    name: service.document.job_name,
    ownerUserId: service.ownerUserId,
    status: service.status ?? null,
    statusDetail: service.statusDetail,
    replicas: service.instances.length,
    runningReplicas: service.instances.filter(({ status }) => status === 'RUNNING').length,
    instances: service.instances.map((instance) => instanceResource(instance, clusters)),
    revision: service.revision,
    rollout: rolloutResource(service),
    lastRollout: lastRolloutResource(service),
    document: service.document,
  };
}

function rolloutResource({ rollout }: ServiceView): ServiceResource['rollout'] {
  if (rollout === undefined) return null;
  const { startedAtMs, ...rest } = rollout;
  return { ...rest, startedAt: new Date(startedAtMs).toISOString() };
}

function lastRolloutResource({ lastOutcome }: ServiceView): ServiceResource['lastRollout'] {
  if (lastOutcome === undefined) return null;
  const { kind: outcome, atMs, ...rest } = lastOutcome;
  return { outcome, ...rest, at: new Date(atMs).toISOString() };
}

export function clusterResource(cluster: ClusterView): ClusterResource {
  const { port: _, lastSeenAtMs, virtualization, labels, setLabels, ...rest } = cluster;
  return {
    ...rest,
    virtualization: [...virtualization],
    labels: { ...labels },
    setLabels: { ...setLabels },
    lastSeenAt: timeOf(lastSeenAtMs),
  };
}

export function workerResource({ labels, setLabels, capacity, ...worker }: WorkerView): WorkerResource {
  return { ...worker, labels: { ...labels }, setLabels: { ...setLabels }, capacity: capacity ?? null };
}

export function eventResource(event: JournalEvent, { life }: Pick<EventJournal, 'life'>): EventResource {
  return {
    id: `${life}-${event.seq}`,
    at: new Date(event.atMs).toISOString(),
    kind: event.kind,
    serviceId: event.serviceId ?? null,
    instanceNumber: event.number ?? null,
    clusterId: event.clusterId ?? null,
    status: event.status ?? null,
    detail: event.detail,
  };
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 16);

/** What a user can change about a resource: the part that `If-Match` compares. */
function definitionOf(resource: unknown): string {
  if (typeof resource !== 'object' || resource === null) return '';
  if ('document' in resource && 'replicas' in resource) {
    return JSON.stringify([resource.document, resource.replicas]);
  }
  if ('versions' in resource && 'description' in resource) {
    return JSON.stringify([resource.versions, resource.description]);
  }
  return 'serviceIds' in resource ? JSON.stringify(resource) : '';
}

/** `"<definition>.<everything>"`: changes with each change, and still says whether the definition is the same. */
export function etagOf(resource: unknown, text: string): string {
  return `"${digestOf(definitionOf(resource))}.${digestOf(text)}"`;
}

/** Does `If-Match` name the definition as it is now? */
export function isSameDefinition(ifMatch: string, resource: unknown): boolean {
  const definition = digestOf(definitionOf(resource));
  return ifMatch.split(',').some((tag) => {
    const text = tag.trim().replace(/^W\//, '');
    return text === '*' || text.replaceAll('"', '').split('.')[0] === definition;
  });
}
