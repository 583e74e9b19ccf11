import {
  type Epoch,
  type Greeting,
  globalInstanceNumber,
  type InstanceKey,
  type InstanceReport,
  isGlobal,
  type MemberFacts,
  parseInstanceKey,
  type ServiceDocument,
  sealedVersionsOf,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';
import {
  type Arbiter,
  type ArbiterTiming,
  createArbiter,
  createReporter,
  type DownReason,
  type Effects,
  type InstanceRecord,
  type Placement,
  placementOf,
  type ReporterTiming,
  type Schedule,
  type StoredState,
} from '@oakestra/ownership';
import { type Assignment, createAssignments } from './assignments.ts';

export interface ClusterEffects extends Effects {
  /** Newest assignment of a global service; null: delete it. */
  readonly assignmentWrites: ReadonlyMap<string, Assignment | null>;
  /** Present when a higher epoch than ever came from the root. */
  readonly highestEpoch: Epoch | undefined;
  readonly toRoot: readonly TierReport[];
}

export interface ClusterCoreOptions {
  readonly stored: StoredState & {
    readonly highestEpoch: Epoch;
    readonly assignments?: readonly Assignment[];
  };
  /** What overrides of global services call this cluster, and a worker; default: its id. */
  readonly clusterName?: string;
  readonly workerName?: (workerId: string) => string;
  /** Rises with each start of the process. */
  readonly boot: number;
  readonly schedule: Schedule;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  readonly mintIncarnation: () => string;
  readonly timing?: Partial<ArbiterTiming>;
  readonly reporterTiming?: ReporterTiming;
  /** Are the values here that the document refers to? Default: yes. */
  readonly hasValues?: (document: ServiceDocument) => boolean;
}

/** What a cluster decides: an arbiter over its workers below, a reporter to the root above. Pure. */
export interface ClusterCore {
  readonly arbiter: Pick<Arbiter, 'record' | 'records' | 'members' | 'memberState' | 'isLearning'>;
  rootUp(): void;
  rootDown(): void;
  rootCommand(command: TierCommand): void;
  greeting(): Greeting;
  workerUp(id: string, greeting: Greeting): void;
  workerDown(id: string, reason: DownReason): void;
  workerHeard(id: string): void;
  workerFacts(id: string, facts: MemberFacts): void;
  workerReport(id: string, report: TierReport): void;
  selfLate(lateMs: number): void;
  tick(): void;
  nextDeadlineMs(): number | undefined;
  takeEffects(): ClusterEffects;
}

export function createClusterCore(options: ClusterCoreOptions): ClusterCore {
  const { stored, nowMs, hasValues = () => true } = options;
  const arbiter = createArbiter({
    tier: 'cluster',
    schedule: (request) => options.schedule(isGlobal(request.document) ? onItsWorker(request) : request),
    nowMs,
    wallMs: options.wallMs,
    mintIncarnation: options.mintIncarnation,
    stored,
    hasValues,
    ...(options.timing === undefined ? {} : { timing: options.timing }),
  });
  const assignments = createAssignments({
    stored: stored.assignments ?? [],
    arbiter,
    clusterName: () => options.clusterName ?? '',
    workerName: options.workerName ?? ((id) => id),
  });
  // The published table belongs to this life of the process; an incarnation that is minted later needs no new one.
  const source = { incarnation: arbiter.incarnation, boot: options.boot };
  const reporter = createReporter({
    source,
    nowMs,
    ...(options.reporterTiming === undefined ? {} : { timing: options.reporterTiming }),
  });
  let highestEpoch = stored.highestEpoch;
  let isHighestChanged = false;
  let toRoot: TierReport[] = [];

  const publish = (record: InstanceRecord): void => {
    const report = reportOf(record, hasValues);
    const isLazy = report.phase === 'pending' || report.phase === 'starting';
    reporter.set(record.key, report, isLazy ? 'lazy' : 'urgent');
  };

  const publishAgain = (key: InstanceKey): void => {
    const record = arbiter.record(key);
    if (record !== undefined && sealedVersionsOf(record.document).size > 0) publish(record);
  };

  for (const record of stored.records) publish(record);

  const sawEpoch = (epoch: Epoch): void => {
    if (epoch.root <= highestEpoch.root) return;
    highestEpoch = { root: epoch.root, cluster: 0 };
    isHighestChanged = true;
  };

  const withAssignments = (report: TierReport): TierReport =>
    report.type === 'digest' ? { ...report, assignments: assignments.rows() } : report;

  const describe = (key: InstanceKey): void => {
    const record = arbiter.record(key);
    if (record === undefined || record.wanted === 'removed') return;
    toRoot.push({
      type: 'described',
      key,
      epoch: heldEpoch(record),
      document: record.document,
      ownerUserId: record.ownerUserId,
    });
  };

  return {
    arbiter,
    rootUp: () => reporter.sessionUp(),
    rootDown: () => reporter.sessionDown(),

    rootCommand(command) {
      switch (command.type) {
        case 'deploy':
          sawEpoch(command.epoch);
          arbiter.deploy(command);
          // It may have brought values that were missing.
          publishAgain(command.key);
          break;
        case 'remove':
          sawEpoch(command.epoch);
          arbiter.remove(command);
          break;
        case 'forget':
          arbiter.forget(command.key, command.epoch);
          break;
        case 'describe':
          describe(command.key);
          break;
        case 'assign':
          sawEpoch({ root: command.version, cluster: 0 });
          if (assignments.take(command)) reporter.offerDigest();
          break;
        case 'sync':
          reporter.answer(command);
          break;
      }
    },

    greeting: () => ({ incarnation: source.incarnation, boot: source.boot, highestEpoch }),
    workerUp: (id, greeting) => arbiter.memberUp(id, greeting),
    workerDown: (id, reason) => arbiter.memberDown(id, reason),
    workerHeard: (id) => arbiter.memberHeard(id),
    workerFacts(id, facts) {
      arbiter.memberFacts(id, facts);
      assignments.touch();
    },

    workerReport(id, report) {
      switch (report.type) {
        case 'changes':
        case 'digest':
        case 'page':
          arbiter.receive(id, report);
          break;
        case 'described':
          arbiter.adopt(id, report);
          break;
        case 'facts':
          arbiter.memberFacts(id, report);
          assignments.touch();
          break;
        case 'usage':
          arbiter.memberHeard(id);
          break;
      }
    },

    selfLate: (lateMs) => arbiter.selfLate(lateMs),

    tick() {
      arbiter.tick();
      reporter.tick();
    },

    nextDeadlineMs() {
      if (assignments.isTouched()) return nowMs();
      const ours = arbiter.nextDeadlineMs();
      const reports = reporter.nextDeadlineMs();
      if (ours === undefined || reports === undefined) return ours ?? reports;
      return Math.min(ours, reports);
    },

    takeEffects() {
      assignments.settle();
      const effects = arbiter.takeEffects();
      for (const [, record] of effects.writes)
        if (record === null || record.phase === 'removed') assignments.touch();
      for (const [key, record] of effects.writes) {
        if (record === null) reporter.delete(key);
        else publish(record);
      }
      const isTouched = effects.notices.some(
        (notice) => notice.kind === 'changed' && !effects.writes.has(notice.key),
      );
      if (isTouched) reporter.offerDigest();
      const assignmentWrites = assignments.takeWrites();
      const result: ClusterEffects = {
        ...effects,
        durability: assignmentWrites.size > 0 ? 'full' : effects.durability,
        assignmentWrites,
        highestEpoch: isHighestChanged ? highestEpoch : undefined,
        toRoot: [...toRoot, ...reporter.takeMessages()].map(withAssignments),
      };
      isHighestChanged = false;
      toRoot = [];
      return result;
    },
  };
}

/** Each worker has an instance of its own. */
function onItsWorker(request: Parameters<Schedule>[0]): Parameters<Schedule>[0] {
  const number = parseInstanceKey(request.key ?? '').number;
  const candidates = request.candidates.filter(({ id }) => globalInstanceNumber(id) === number);
  return { ...request, candidates };
}

/** What the root is told of a record. */
function reportOf(record: InstanceRecord, hasValues: (document: ServiceDocument) => boolean): InstanceReport {
  if (record.wanted === 'running' && record.isUnconfirmed === true) return questionOf(record);
  const owner = placementOf(record, 'owner');
  const isGone = record.wanted === 'removed' && record.phase === 'removed' && record.placements.length === 0;
  return {
    epoch: isGone ? (record.tombstone ?? { root: record.authority, cluster: 0 }) : heldEpoch(record),
    phase: isGone ? 'removed' : record.phase === 'removed' || owner === undefined ? 'pending' : record.phase,
    status: record.status,
    detail: record.detail,
    failures: record.failures,
    sinceMs: record.sinceMs,
    ...(isGone && record.isSuperseded === true ? { superseded: true } : {}),
    ...(record.wanted === 'running' && !hasValues(record.document) ? { needsValues: true } : {}),
    ...(owner === undefined ? whyUnplaced(record) : {}),
    ...workerOf(record, owner),
  };
}

/** As data: the detail says it for people. */
function whyUnplaced({ placement }: InstanceRecord): Pick<InstanceReport, 'placement'> {
  if (placement === undefined) return {};
  return { placement: { ...placement, rejections: [...placement.rejections] } };
}

/** Only of the present owner: the root remembers who held which epoch. */
function workerOf(
  { workerId, workerAddress }: InstanceRecord,
  owner: Placement | undefined,
): Pick<InstanceReport, 'workerId' | 'workerAddress'> {
  if (workerId === null || workerId !== owner?.member) return {};
  return { workerId, ...(workerAddress === null ? {} : { workerAddress }) };
}

/** Our store was restored: the oldest epoch there is makes the root say whether this is still wanted. */
function questionOf(record: InstanceRecord): InstanceReport {
  return {
    epoch: { root: 0, cluster: 0 },
    phase: 'pending',
    status: record.status,
    detail: 'The store of the cluster was restored; waiting for the root to confirm this instance',
    failures: 0,
    sinceMs: record.sinceMs,
  };
}

/** The epoch that the root may believe in: of a removal under way still the one that is being removed. */
function heldEpoch(record: InstanceRecord): Epoch {
  if (record.wanted === 'running') {
    return { root: record.authority, cluster: placementOf(record, 'owner')?.epoch.cluster ?? 0 };
  }
  let held: Epoch = { root: 0, cluster: 0 };
  for (const { epoch } of record.placements) {
    if (epoch.root > held.root || (epoch.root === held.root && epoch.cluster > held.cluster)) held = epoch;
  }
  return held;
}
