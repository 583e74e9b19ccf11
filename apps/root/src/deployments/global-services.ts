import {
  type AssignCommand,
  type Digest,
  isGlobal,
  type Labels,
  matchesLabels,
  OakestraError,
  selectorOf,
} from '@oakestra/contracts';
import type { Arbiter } from '@oakestra/ownership';
import type { ServiceRecord } from './service-record.ts';

type Rows = NonNullable<Digest['assignments']>;

/** Which clusters run which global services: compares what each says that it does with what it should. */
export interface GlobalServices {
  /** A version for a service that is new; undefined when it is not global. */
  versionFor(service: Pick<ServiceRecord, 'document'>): number | undefined;
  /** What a cluster says that it runs by itself; undefined: it knows no such services. */
  reported(clusterId: string, rows: Rows | undefined): void;
  /** The cluster made an instance of a service that is gone: it has not heard of that yet. */
  isOver(clusterId: string, serviceId: string): void;
  clusterDown(clusterId: string): void;
  /** Services, labels or clusters have changed: all are compared. */
  changed(): void;
  takeSends(): readonly { readonly member: string; readonly message: AssignCommand }[];
}

export function createGlobalServices(options: {
  readonly arbiter: Pick<Arbiter, 'mint' | 'gaveOut' | 'memberState'>;
  readonly services: ReadonlyMap<string, ServiceRecord>;
  readonly write: (service: ServiceRecord) => void;
  readonly labelsOf: (clusterId: string) => Labels;
}): GlobalServices {
  const { arbiter, services } = options;
  const said = new Map<string, Rows>();
  let sends: { member: string; message: AssignCommand }[] = [];

  const isWantedAt = (service: ServiceRecord, clusterId: string): boolean => {
    const availability = arbiter.memberState(clusterId)?.mark.availability;
    const isOpen = availability === 'open' || availability === 'cordoned';
    return isOpen && matchesLabels(selectorOf(service.document).cluster, options.labelsOf(clusterId));
  };

  const assign = (member: string, service: ServiceRecord, version: number): void => {
    const { id: serviceId, document, ownerUserId } = service;
    sends.push({ member, message: { type: 'assign', serviceId, version, document, ownerUserId } });
  };

  const withdraw = (member: string, serviceId: string, version: number): void => {
    const message: AssignCommand = { type: 'assign', serviceId, version, document: null, ownerUserId: '' };
    sends.push({ member, message });
  };

  const compareService = (clusterId: string, service: ServiceRecord, row: Rows[number] | undefined): void => {
    if (!isWantedAt(service, clusterId)) {
      if (row?.isActive === true) withdraw(clusterId, service.id, arbiter.mint());
      return;
    }
    // Learned from below after a loss: what the clusters have is left as it is.
    if (service.assignmentVersion === undefined) return;
    if (row?.isActive === true && row.version >= service.assignmentVersion) return;
    let current = service;
    if (row !== undefined && row.version >= service.assignmentVersion) {
      current = { ...service, assignmentVersion: arbiter.mint() };
      options.write(current);
    }
    assign(clusterId, current, current.assignmentVersion ?? 0);
  };

  const compare = (clusterId: string): void => {
    const rows = said.get(clusterId);
    if (rows === undefined || arbiter.memberState(clusterId)?.isUp !== true) return;
    const byId = new Map(rows.map((row) => [row.serviceId, row]));
    for (const service of [...services.values()]) {
      if (isGlobal(service.document)) compareService(clusterId, service, byId.get(service.id));
    }
    for (const { serviceId, version, isActive } of rows) {
      if (services.has(serviceId)) continue;
      // Removed here. What an earlier life of this store gave out is unknown, and left alone.
      if (!isActive) withdraw(clusterId, serviceId, version);
      else if (arbiter.gaveOut(version)) withdraw(clusterId, serviceId, arbiter.mint());
    }
  };

  return {
    versionFor: ({ document }) => (isGlobal(document) ? arbiter.mint() : undefined),
    reported(clusterId, rows) {
      if (rows === undefined) said.delete(clusterId);
      else said.set(clusterId, rows);
      compare(clusterId);
    },
    isOver: (clusterId, serviceId) => withdraw(clusterId, serviceId, arbiter.mint()),
    clusterDown: (clusterId) => void said.delete(clusterId),
    changed() {
      for (const clusterId of said.keys()) compare(clusterId);
    },
    takeSends() {
      const taken = sends;
      sends = [];
      return taken;
    },
  };
}

/** Rejects `service-global`: its instances are made and removed with the workers. */
export function requireNotGlobal({ document }: Pick<ServiceRecord, 'document'>): void {
  if (!isGlobal(document)) return;
  throw new OakestraError(
    'conflict',
    'service-global',
    'This service is global: each worker that its selector matches runs one instance. Change the labels of workers, or ' +
      'remove the service and submit it anew.',
  );
}
