import {
  parseInstanceKey,
  type ServiceDocument,
  type StatusWord,
  sealedReferencesOf,
  sealedVersionsOf,
} from '@oakestra/contracts';
import type { InstanceRecord } from '@oakestra/ownership';
import type { InstanceView, PlacementView, RolloutView, ServiceView } from './deployments.ts';
import { revisionOf } from './rollout.ts';
import type { ServiceRecord } from './service-record.ts';
import type { UsageRow } from './usage-book.ts';

/** `present`: the document that a new instance would get. */
export function instanceView(
  record: InstanceRecord,
  usage: UsageRow | undefined,
  present: ServiceDocument,
): InstanceView {
  const { serviceId, number } = parseInstanceKey(record.key);
  return {
    serviceId,
    number,
    clusterId: record.placements.find((placement) => placement.role === 'owner')?.member,
    status: record.status,
    statusDetail: record.detail,
    placement: placementView(record),
    revision: revisionOf(record.document),
    workerId: record.workerId ?? undefined,
    workerAddress: record.workerAddress ?? undefined,
    workerPort: usage?.workerPort,
    cpuPercent: usage?.cpuPercent,
    memoryBytes: usage?.memoryBytes,
    diskBytes: usage?.diskBytes,
    logs: usage?.logs ?? '',
    sealedReferences: sealedReferencesOf(record.document),
    hasNewerVersions: isAhead(present, record.document),
    modifiedAtMs: record.sinceMs,
  };
}

/** While it has no worker, its cluster knows better. */
function placementView({ placement, placementBelow, phase }: InstanceRecord): PlacementView | undefined {
  if (placementBelow !== undefined && phase === 'pending' && placement?.code === 'placed') {
    return { ...placementBelow, memberKind: 'worker' };
  }
  return placement === undefined ? undefined : { ...placement, memberKind: 'cluster' };
}

export function serviceView(service: ServiceRecord, instances: readonly InstanceView[]): ServiceView {
  const worst = worstOf(instances);
  const isUntouched = service.nextInstanceNumber === 0;
  return {
    id: service.id,
    document: service.document,
    ownerUserId: service.ownerUserId,
    nextInstanceNumber: service.nextInstanceNumber,
    status: worst?.status ?? (isUntouched ? undefined : 'UNDEPLOYED'),
    statusDetail: worst?.statusDetail ?? '',
    instances,
    revision: revisionOf(service.document),
    rollout: rolloutView(service, instances),
    previousDocument: service.rollout?.active?.previous ?? undefined,
    lastOutcome: service.rollout?.outcome,
  };
}

function rolloutView(service: ServiceRecord, instances: readonly InstanceView[]): RolloutView | undefined {
  const active = service.rollout?.active;
  if (active === undefined) return undefined;
  const revision = revisionOf(service.document);
  const updated = instances.filter((instance) => instance.revision === revision);
  return {
    isRollback: active.previous === null,
    desired: active.desired,
    updated: updated.filter(({ status }) => status === 'RUNNING').length,
    outdated: instances.length - updated.length,
    startedAtMs: active.startedAtMs,
  };
}

/** RUNNING only when all run; otherwise the state that needs most attention (root-api Q35). */
function worstOf(instances: readonly InstanceView[]): InstanceView | undefined {
  let worst: InstanceView | undefined;
  for (const instance of instances) {
    if (worst === undefined || rank(instance.status) > rank(worst.status)) worst = instance;
  }
  return worst;
}

/** Does the one document ask for versions of secrets and configs that the other one does not have? */
function isAhead(present: ServiceDocument, earlier: ServiceDocument): boolean {
  const wanted = sealedVersionsOf(present);
  if (wanted.size === 0) return false;
  const had = sealedVersionsOf(earlier);
  return [...wanted].some((version) => !had.has(version));
}

const ORDER: readonly StatusWord[] = [
  'COMPLETED',
  'RUNNING',
  'CREATED',
  'CREATING',
  'NODE_SCHEDULED',
  'CLUSTER_SCHEDULED',
  'REQUESTED',
];

/** Words that are not in the list are failures: the worst. */
function rank(status: StatusWord): number {
  const index = ORDER.indexOf(status);
  return index === -1 ? ORDER.length : index;
}
