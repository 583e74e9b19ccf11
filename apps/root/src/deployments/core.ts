import {
  type Greeting,
  type InstanceKey,
  instanceKey,
  isGlobal,
  type Labels,
  OakestraError,
  parseInstanceKey,
  type ServiceDocument,
  type TierReport,
} from '@oakestra/contracts';
import {
  type Arbiter,
  type ArbiterTiming,
  type Availability,
  createArbiter,
  type DownReason,
  type Effects,
  type InstanceRecord,
  type Schedule,
  type ScheduleDecision,
  type StoredState,
} from '@oakestra/ownership';
import { requireCleared, requireEmpty } from './cluster-marks.ts';
import { createGlobalServices, requireNotGlobal } from './global-services.ts';
import { createInstanceIndex } from './instance-index.ts';
import type { RolloutSettings } from './rollout.ts';
import { createRollouts } from './rollouts.ts';
import type { ServiceRecord } from './service-record.ts';

export interface RootEffects extends Effects {
  /** Newest service by id; null: delete it. */
  readonly serviceWrites: ReadonlyMap<string, ServiceRecord | null>;
  /** Services that were learned from below. */
  readonly adoptedServices: readonly ServiceRecord[];
}

export interface RootCoreOptions {
  readonly stored: StoredState & { readonly services: readonly ServiceRecord[] };
  readonly schedule: Schedule;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  readonly mintIncarnation: () => string;
  readonly timing?: Partial<ArbiterTiming>;
  /** Labels that hold for a cluster; default: those of its settings. */
  readonly labelsOf?: (clusterId: string) => Labels;
  /** The document that a new instance of a service gets; default: that of the service. */
  readonly documentFor?: (service: ServiceRecord) => ServiceDocument;
  /** Are the values known that the document refers to? Default: yes. */
  readonly hasValues?: (document: ServiceDocument) => boolean;
}

/** What the root decides: services, their instances, and which cluster each is given to. Pure. */
export interface RootCore {
  readonly arbiter: Pick<
    Arbiter,
    'record' | 'records' | 'members' | 'memberState' | 'isLearning' | 'incarnation' | 'counter'
  >;
  registerService(service: Omit<ServiceRecord, 'nextInstanceNumber' | 'rollout'>): void;
  /** Replaces its instances step by step by ones of this document; goes back when they do not become healthy. */
  updateService(id: string, document: ServiceDocument, settings: RolloutSettings): void;
  removeService(id: string): void;
  service(id: string): ServiceRecord | undefined;
  serviceByJobName(jobName: string): ServiceRecord | undefined;
  services(): IterableIterator<ServiceRecord>;
  /** Takes the next number. */
  requestInstance(serviceId: string): number;
  /** The same on this cluster, as somebody else decided; undefined: it does not fit there, nothing was done. */
  requestInstanceAt(serviceId: string, clusterId: string): number | undefined;
  removeInstance(serviceId: string, number: number): void;
  removeAllInstances(serviceId: string): void;
  /** Asks for what is missing, removes what is too much: first what does not run, then the youngest. */
  setReplicas(serviceId: string, count: number): void;

  /**
   * An operator wants it so. Rejects the removal of a cluster that holds instances (`cluster-not-empty`), unless it is
   * forced: then they are given to others; and the return of one that has not stopped what it had
   * (`cluster-not-cleared`).
   */
  setClusterAvailability(id: string, availability: Availability, isForced: boolean): void;
  clusterUp(id: string, greeting: Greeting): void;
  clusterDown(id: string, reason: DownReason): void;
  /** What the operator says of the clusters' labels has changed. */
  clusterLabelsChanged(): void;
  clusterHeard(id: string): void;
  clusterReport(id: string, report: TierReport): void;
  selfLate(lateMs: number): void;
  tick(): void;
  nextDeadlineMs(): number | undefined;
  takeEffects(): RootEffects;
}

const PLACED_BELOW: ScheduleDecision = {
  kind: 'none',
  status: 'TargetClusterNotActive',
  detail: 'The clusters run it by themselves',
};

/**
 * Numbers that may have been given out by a life of the store that is lost: so many are skipped, so that an
 * instance on a cluster that is out of reach keeps its number for itself.
 */
const NUMBERS_SKIPPED_AFTER_LOSS = 100;

export function createRootCore(options: RootCoreOptions): RootCore {
  /** While an instance is placed where somebody else decided. */
  let onlyCluster: string | undefined;
  const arbiter = createArbiter({
    tier: 'root',
    schedule: (request) =>
      isGlobal(request.document)
        ? PLACED_BELOW
        : options.schedule(
            onlyCluster === undefined
              ? request
              : { ...request, candidates: request.candidates.filter(({ id }) => id === onlyCluster) },
          ),
    nowMs: options.nowMs,
    wallMs: options.wallMs,
    mintIncarnation: options.mintIncarnation,
    stored: options.stored,
    ...(options.hasValues === undefined ? {} : { hasValues: options.hasValues }),
    timing: ROOT_TIMING,
    ...(options.timing === undefined ? {} : { timing: { ...ROOT_TIMING, ...options.timing } }),
  });
  const services = new Map<string, ServiceRecord>();
  const idByJobName = new Map<string, string>();
  let serviceWrites = new Map<string, ServiceRecord | null>();
  let adoptedServices: ServiceRecord[] = [];

  const remember = (service: ServiceRecord): void => {
    services.set(service.id, service);
    // One that is learned from below does not take its name from one that is known by it.
    const { job_name: jobName } = service.document;
    if (!services.has(idByJobName.get(jobName) ?? '')) idByJobName.set(jobName, service.id);
  };

  const forgetService = ({ id, document: { job_name: jobName } }: ServiceRecord): void => {
    services.delete(id);
    if (idByJobName.get(jobName) !== id) return;
    idByJobName.delete(jobName);
    for (const other of services.values()) if (other.document.job_name === jobName) remember(other);
  };

  const write = (service: ServiceRecord): void => {
    remember(service);
    serviceWrites.set(service.id, service);
  };

  for (const service of options.stored.services) remember(service);

  const known = (serviceId: string): ServiceRecord => {
    const service = services.get(serviceId);
    if (service === undefined) throw serviceNotFound(serviceId);
    return service;
  };

  const index = createInstanceIndex(options.stored.records.map(({ key }) => key));
  const keysOf = (serviceId: string): InstanceKey[] => [...index.of(serviceId)];

  const requestInstance = (serviceId: string): number => {
    const service = known(serviceId);
    const number = service.nextInstanceNumber;
    const key = instanceKey(serviceId, number);
    write({ ...service, nextInstanceNumber: number + 1 });
    index.add(key);
    arbiter.want({
      key,
      document: options.documentFor?.(service) ?? service.document,
      ownerUserId: service.ownerUserId,
    });
    return number;
  };

  const fitsAt = (document: ServiceDocument, clusterId: string): boolean => {
    const member = arbiter.memberState(clusterId);
    if (member?.isUp !== true || member.facts === undefined) return false;
    if (member.mark.availability !== 'open') return false;
    const { facts, reservedMemoryMib } = member;
    const candidates = [{ id: clusterId, facts, reservedMemoryMib }];
    return options.schedule({ document, candidates }).kind === 'chosen';
  };

  const globals = createGlobalServices({
    arbiter,
    services,
    write,
    labelsOf: options.labelsOf ?? ((id) => arbiter.memberState(id)?.facts?.labels ?? {}),
  });

  const rollouts = createRollouts({
    arbiter,
    services,
    keysOf,
    write,
    requestInstance,
    nowMs: options.nowMs,
    wallMs: options.wallMs,
  });

  const learnService = (key: InstanceKey): void => {
    const record = arbiter.record(key);
    if (record === undefined) return;
    const { serviceId, number } = parseInstanceKey(key);
    const present = services.get(serviceId);
    // A cluster that had yet to hear of the end of its service.
    const epoch = record.placements[0]?.epoch.root ?? 0;
    if (present === undefined && isGlobal(record.document) && arbiter.gaveOut(epoch)) {
      arbiter.unwant(key);
      const [holder] = record.placements;
      if (holder !== undefined) globals.isOver(holder.member, serviceId);
      return;
    }
    if (present !== undefined && isGlobal(present.document)) return;
    const next: ServiceRecord = {
      ...present,
      id: serviceId,
      ownerUserId: present?.ownerUserId ?? record.ownerUserId,
      document: present?.document ?? record.document,
      nextInstanceNumber: isGlobal(record.document)
        ? (present?.nextInstanceNumber ?? 0)
        : Math.max(present?.nextInstanceNumber ?? 0, number + 1 + NUMBERS_SKIPPED_AFTER_LOSS),
    };
    write(next);
    if (present === undefined) adoptedServices.push(next);
  };

  const skipNumbers = (): void => {
    for (const service of [...services.values()]) {
      write({ ...service, nextInstanceNumber: service.nextInstanceNumber + NUMBERS_SKIPPED_AFTER_LOSS });
    }
  };

  return {
    arbiter,

    registerService(service) {
      if (idByJobName.has(service.document.job_name) || services.has(service.id)) {
        throw new OakestraError(
          'conflict',
          'service-exists',
          `A service named "${service.document.job_name}" exists already; choose another name or remove it first`,
        );
      }
      const version = globals.versionFor(service);
      write({
        ...service,
        nextInstanceNumber: 0,
        ...(version === undefined ? {} : { assignmentVersion: version }),
      });
      if (isGlobal(service.document)) globals.changed();
    },

    updateService(id, document, settings) {
      requireNotGlobal(known(id));
      requireNotGlobal({ document });
      rollouts.begin(known(id), document, settings);
    },

    removeService(id) {
      const service = known(id);
      for (const key of keysOf(id)) arbiter.unwant(key);
      forgetService(service);
      serviceWrites.set(id, null);
      if (isGlobal(service.document)) globals.changed();
    },

    service: (id) => services.get(id),
    serviceByJobName: (jobName) => services.get(idByJobName.get(jobName) ?? ''),
    services: () => services.values(),

    requestInstance(serviceId) {
      requireNotGlobal(known(serviceId));
      const number = requestInstance(serviceId);
      rollouts.resize(serviceId, (desired) => desired + 1);
      return number;
    },

    requestInstanceAt(serviceId, clusterId) {
      requireNotGlobal(known(serviceId));
      if (!fitsAt(known(serviceId).document, clusterId)) return undefined;
      onlyCluster = clusterId;
      try {
        const number = requestInstance(serviceId);
        rollouts.resize(serviceId, (desired) => desired + 1);
        return number;
      } finally {
        onlyCluster = undefined;
      }
    },

    removeInstance(serviceId, number) {
      requireNotGlobal(known(serviceId));
      const isWanted = arbiter.record(instanceKey(serviceId, number))?.wanted === 'running';
      if (isWanted) rollouts.resize(serviceId, (desired) => desired - 1);
      if (!arbiter.unwant(instanceKey(serviceId, number))) {
        throw new OakestraError('not-found', 'instance-not-found', `This service has no instance ${number}`);
      }
    },

    removeAllInstances(serviceId) {
      requireNotGlobal(known(serviceId));
      rollouts.resize(serviceId, () => 0);
      for (const key of keysOf(serviceId)) arbiter.unwant(key);
    },

    setReplicas(serviceId, count) {
      requireNotGlobal(known(serviceId));
      if (rollouts.resize(serviceId, () => count)) return;
      const wanted = keysOf(serviceId)
        .map((key) => arbiter.record(key))
        .filter((record) => record?.wanted === 'running') as InstanceRecord[];
      for (let missing = count - wanted.length; missing > 0; missing -= 1) requestInstance(serviceId);
      const order = wanted.sort(byDispensability);
      for (const { key } of order.slice(0, Math.max(0, wanted.length - count))) arbiter.unwant(key);
    },

    setClusterAvailability(id, availability, isForced) {
      const cluster = arbiter.memberState(id);
      if (availability === 'removed' && !isForced) requireEmpty(cluster);
      if (cluster?.mark.availability === 'removed' && availability !== 'removed') requireCleared(cluster);
      arbiter.setAvailability(id, availability);
      globals.changed();
    },
    clusterUp(id, greeting) {
      arbiter.memberUp(id, greeting);
      rollouts.membersChanged();
    },
    clusterDown(id, reason) {
      globals.clusterDown(id);
      arbiter.memberDown(id, reason);
      rollouts.membersChanged();
    },
    clusterLabelsChanged: () => globals.changed(),
    clusterHeard: (id) => arbiter.memberHeard(id),

    clusterReport(id, report) {
      switch (report.type) {
        case 'changes':
        case 'digest':
        case 'page':
          arbiter.receive(id, report);
          if (report.type === 'digest') globals.reported(id, report.assignments);
          break;
        case 'described':
          arbiter.adopt(id, report);
          break;
        case 'facts':
          arbiter.memberFacts(id, report);
          break;
        case 'usage':
          arbiter.memberHeard(id);
          break;
      }
    },

    selfLate: (lateMs) => arbiter.selfLate(lateMs),
    tick() {
      arbiter.tick();
      rollouts.tick();
    },
    nextDeadlineMs() {
      const [first, second] = [arbiter.nextDeadlineMs(), rollouts.nextDeadlineMs()];
      return first === undefined || second === undefined ? (first ?? second) : Math.min(first, second);
    },

    takeEffects() {
      const effects = arbiter.takeEffects();
      for (const notice of effects.notices) {
        if (notice.kind === 'store-restored') {
          skipNumbers();
          rollouts.abandon();
        } else if (notice.kind === 'adopted') learnService(notice.key);
        if (!('key' in notice)) continue;
        if (arbiter.record(notice.key) === undefined) index.remove(notice.key);
        else index.add(notice.key);
        rollouts.touched(parseInstanceKey(notice.key).serviceId);
      }
      const all = joined(effects, arbiter.takeEffects());
      const result: RootEffects = {
        ...all,
        sends: [...globals.takeSends(), ...all.sends],
        // A service and its numbers are intents: never spoken of before they are on disk.
        durability: serviceWrites.size > 0 ? 'full' : all.durability,
        serviceWrites,
        adoptedServices,
      };
      serviceWrites = new Map();
      adoptedServices = [];
      return result;
    },
  };
}

/** What followed from the effects themselves comes after them. */
function joined(first: Effects, second: Effects): Effects {
  return {
    writes: new Map([...first.writes, ...second.writes]),
    counter: second.counter ?? first.counter,
    marks: new Map([...first.marks, ...second.marks]),
    durability: first.durability === 'full' ? 'full' : second.durability,
    sends: [...first.sends, ...second.sends],
    notices: [...first.notices, ...second.notices],
  };
}

function byDispensability(a: InstanceRecord, b: InstanceRecord): number {
  const isRunning = ({ phase }: InstanceRecord): number => (phase === 'running' ? 1 : 0);
  return isRunning(a) - isRunning(b) || parseInstanceKey(b.key).number - parseInstanceKey(a.key).number;
}

/**
 * A cluster heals by itself while its root cannot see it, so the root waits for minutes before it gives the
 * instances of a silent cluster to another one.
 */
const ROOT_TIMING: Partial<ArbiterTiming> = {
  resetGraceMs: 300_000,
  silenceGraceMs: 300_000,
  startGraceMs: 300_000,
  learnMs: 60_000,
};

function serviceNotFound(serviceId: string): OakestraError {
  return new OakestraError(
    'not-found',
    'service-not-found',
    `There is no service with the id "${serviceId}"`,
  );
}
