import { type InstanceKey, parseInstanceKey } from '@oakestra/contracts';
import { type InstanceRecord, type Notice, placementOf } from '@oakestra/ownership';
import type { RootCore, RootEffects } from './core.ts';
import type { DeploymentEvent } from './deployments.ts';
import { revisionOf } from './rollout.ts';
import type { ServiceRecord } from './service-record.ts';

type Core = Pick<RootCore, 'arbiter'>;

/** Turns what a core did into what people want to hear of: once per change that they can see. */
export interface ChangeFeed {
  /** What is there already when the core begins. */
  assume(services: Iterable<ServiceRecord>, instances: Iterable<InstanceRecord>): void;
  eventsOf(core: Core, effects: RootEffects): DeploymentEvent[];
}

interface Watched {
  ownerUserId: string;
  isRemoved: boolean;
  /** What was said last of its revisions. */
  change: string;
  /** What was said last of each instance, by number. */
  readonly said: Map<number, string>;
}

export function createChangeFeed(): ChangeFeed {
  const services = new Map<string, Watched>();

  const watched = (serviceId: string, ownerUserId: string): Watched => {
    let service = services.get(serviceId);
    if (service === undefined) {
      service = { ownerUserId, isRemoved: false, change: '', said: new Map() };
      services.set(serviceId, service);
    }
    return service;
  };

  const serviceEvents = (serviceId: string, service: ServiceRecord | null): DeploymentEvent[] => {
    const isNew = !services.has(serviceId);
    const entry = watched(serviceId, service?.ownerUserId ?? '');
    if (service !== null) {
      entry.ownerUserId = service.ownerUserId;
      const { ownerUserId, document } = service;
      const change = changeOf(service);
      const isChanged = entry.change !== change;
      entry.change = change;
      if (isNew) return [{ kind: 'service-created', serviceId, ownerUserId, detail: document.job_name }];
      return isChanged ? [{ kind: 'service-changed', serviceId, ownerUserId, detail: change }] : [];
    }
    entry.isRemoved = true;
    if (entry.said.size === 0) services.delete(serviceId);
    return [{ kind: 'service-removed', serviceId, ownerUserId: entry.ownerUserId, detail: '' }];
  };

  const changed = (record: InstanceRecord): DeploymentEvent[] => {
    const { key, status, detail, ownerUserId } = record;
    const { serviceId, number } = partsOf(key);
    const { said } = watched(serviceId, ownerUserId);
    const clusterId = placementOf(record, 'owner')?.member;
    const text = textOf(record);
    if (said.get(number) === text) return [];
    said.set(number, text);
    const where = clusterId === undefined ? {} : { clusterId };
    return [{ kind: 'instance-changed', serviceId, number, ownerUserId, status, detail, ...where }];
  };

  const removed = (key: InstanceKey): DeploymentEvent[] => {
    const { serviceId, number } = partsOf(key);
    const service = services.get(serviceId);
    // An event that belongs to nobody would be told to everybody.
    if (service === undefined) return [];
    service.said.delete(number);
    if (service.isRemoved && service.said.size === 0) services.delete(serviceId);
    return [{ kind: 'instance-removed', serviceId, number, ownerUserId: service.ownerUserId, detail: '' }];
  };

  const instanceEvents = (core: Core, notice: Notice): DeploymentEvent[] => {
    switch (notice.kind) {
      case 'changed': {
        const record = core.arbiter.record(notice.key);
        return record === undefined || record.wanted === 'removed' ? [] : changed(record);
      }
      case 'placed':
      case 'replacing': {
        const { key, member: clusterId } = notice;
        const ownerUserId = core.arbiter.record(key)?.ownerUserId ?? '';
        const detail = notice.kind === 'placed' ? notice.reason : `instead of ${notice.lost}`;
        return [{ kind: `instance-${notice.kind}`, ...partsOf(key), ownerUserId, clusterId, detail }];
      }
      case 'removed':
        return removed(notice.key);
      default:
        return [];
    }
  };

  return {
    assume(known, instances) {
      for (const service of known) watched(service.id, service.ownerUserId).change = changeOf(service);
      for (const record of instances) {
        const { serviceId, number } = partsOf(record.key);
        const isLeft = !services.has(serviceId);
        const service = watched(serviceId, record.ownerUserId);
        if (isLeft) service.isRemoved = true;
        service.said.set(number, textOf(record));
      }
    },
    eventsOf: (core, effects) => [
      ...Array.from(effects.serviceWrites, ([id, service]) => serviceEvents(id, service)).flat(),
      ...effects.notices.flatMap((notice) => instanceEvents(core, notice)),
    ],
  };
}

/** What people can see of an instance. */
function textOf(record: InstanceRecord): string {
  const clusterId = placementOf(record, 'owner')?.member;
  return [record.status, record.detail, clusterId, record.workerId].join('\n');
}

/** How far its revisions are, in a sentence; empty for one that was never changed. */
function changeOf({ document, rollout }: ServiceRecord): string {
  const revision = revisionOf(document);
  if (rollout === undefined) return '';
  const { active, outcome } = rollout;
  if (active?.previous === null) return `Back to revision ${revision}: ${outcome?.detail ?? ''}`;
  if (active !== undefined) return `Revision ${revision} is rolled out`;
  if (outcome?.kind === 'rolled-back') {
    return `Revision ${revision} again; ${outcome.revision} failed: ${outcome.detail}`;
  }
  return outcome?.detail ?? `Revision ${revision}`;
}

function partsOf(key: InstanceKey): { readonly serviceId: string; readonly number: number } {
  const { serviceId, number } = parseInstanceKey(key);
  return { serviceId, number };
}
