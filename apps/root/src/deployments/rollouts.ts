import { isDeepStrictEqual } from 'node:util';
import { type InstanceKey, parseInstanceKey, type ServiceDocument } from '@oakestra/contracts';
import { type Arbiter, type InstanceRecord, policyOf } from '@oakestra/ownership';
import {
  type ActiveRollout,
  isHealthy,
  planRollout,
  type RolloutInstance,
  type RolloutOutcome,
  type RolloutSettings,
  revisionOf,
  withRevision,
} from './rollout.ts';
import type { ServiceRecord } from './service-record.ts';

export interface RolloutsOptions {
  readonly arbiter: Pick<Arbiter, 'record' | 'unwant' | 'memberState' | 'isLearning'>;
  readonly services: ReadonlyMap<string, ServiceRecord>;
  readonly keysOf: (serviceId: string) => readonly InstanceKey[];
  readonly write: (service: ServiceRecord) => void;
  readonly requestInstance: (serviceId: string) => void;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

/**
 * Leads services from one revision to the next, step by step, and back when the next one does not become healthy.
 * What is stored is the goal; how far it came is read from the instances, so a crash at any place loses nothing.
 */
export interface Rollouts {
  /** Gives the service another document. The same one again changes nothing. */
  begin(service: ServiceRecord, document: ServiceDocument, settings: RolloutSettings): void;
  /** Under a rollout: changes how many instances there are to be. False: there is none, do it yourself. */
  resize(serviceId: string, change: (desired: number) => number): boolean;
  /** Something happened to an instance of this service. */
  touched(serviceId: string): void;
  /** Who can be reached changed. */
  membersChanged(): void;
  /**
   * The store was restored: how many there are to be, and of what, was decided since by a life of it that is lost. What
   * runs is kept.
   */
  abandon(): void;
  tick(): void;
  nextDeadlineMs(): number | undefined;
}

/** What is only known while the process runs; after a restart the times begin anew. */
interface Progress {
  readonly healthySinceMs: Map<InstanceKey, number>;
  /** How often each new instance was seen to fail, and the last time of it. */
  readonly failures: Map<InstanceKey, { readonly count: number; readonly sinceMs: number }>;
  readonly leavingSinceMs: Map<InstanceKey, number>;
  /** When the number of settled or of old instances last got better. */
  progressAtMs: number;
  settled: number;
  old: number;
}

/** So many failed starts in a row of a new instance, and the revision has failed. */
const FAILURES_BEFORE_ROLLBACK = 3;
/** Beyond its grace, an instance that is being stopped keeps its place in the plan for this long. */
const LEAVING_MARGIN_MS = 20_000;

export function createRollouts(options: RolloutsOptions): Rollouts {
  const { arbiter, services, write, nowMs, wallMs } = options;
  const progress = new Map<string, Progress>();
  /** When each service under a rollout is looked at again. */
  const due = new Map<string, number>();

  const wantedOf = (serviceId: string): InstanceRecord[] =>
    options.keysOf(serviceId).flatMap((key) => {
      const record = arbiter.record(key);
      return record?.wanted === 'running' ? [record] : [];
    });

  /**
   * When each of those that are being stopped is not waited for any more. Members that cannot be reached cannot say that
   * it is over, and neither can a cluster whose worker is gone.
   */
  const leavingUntil = (serviceId: string, { leavingSinceMs }: Progress): number[] => {
    const untilMs: number[] = [];
    for (const key of options.keysOf(serviceId)) {
      const record = arbiter.record(key);
      if (record?.wanted !== 'removed') continue;
      if (!leavingSinceMs.has(key)) leavingSinceMs.set(key, nowMs());
      const endsAtMs =
        (leavingSinceMs.get(key) ?? 0) + policyOf(record.document).stopGraceMs + LEAVING_MARGIN_MS;
      const isReachable = record.placements.some(({ member }) => arbiter.memberState(member)?.isUp === true);
      if (isReachable && nowMs() < endsAtMs) untilMs.push(endsAtMs);
    }
    return untilMs;
  };

  const settle = (service: ServiceRecord, outcome: RolloutOutcome | undefined): void => {
    const { lastRevision = 1, outcome: before } = service.rollout ?? {};
    const kept = outcome ?? before;
    write({ ...service, rollout: { lastRevision, ...(kept === undefined ? {} : { outcome: kept }) } });
    progress.delete(service.id);
    due.delete(service.id);
  };

  const goBack = (service: ServiceRecord, active: ActiveRollout, detail: string): void => {
    if (active.previous === null) return;
    const revision = revisionOf(service.document);
    const { lastRevision = revision } = service.rollout ?? {};
    write({
      ...service,
      document: active.previous,
      rollout: {
        lastRevision,
        active: { ...active, previous: null },
        outcome: { kind: 'rolled-back', revision, detail, atMs: wallMs() },
      },
    });
    const known = progress.get(service.id);
    if (known !== undefined) Object.assign(known, { progressAtMs: nowMs(), settled: 0, old: Infinity });
    due.set(service.id, nowMs());
  };

  const observe = (record: InstanceRecord, revision: number, known: Progress, settleMs: number) => {
    const { healthySinceMs } = known;
    if (!isHealthy(record)) healthySinceMs.delete(record.key);
    else if (!healthySinceMs.has(record.key)) healthySinceMs.set(record.key, nowMs());
    const sinceMs = healthySinceMs.get(record.key);
    const instance: RolloutInstance = {
      key: record.key,
      number: parseInstanceKey(record.key).number,
      isNew: revisionOf(record.document) === revision,
      isHealthy: sinceMs !== undefined,
      isSettled: sinceMs !== undefined && nowMs() - sinceMs >= settleMs,
    };
    return instance;
  };

  /** Counted here too: an instance that is moved to another place starts to count anew. */
  const failuresOf = ({ key, phase, sinceMs, failures }: InstanceRecord, known: Progress): number => {
    const seen = known.failures.get(key);
    const isFailed = phase === 'failed' || phase === 'dead';
    if (!isFailed || seen?.sinceMs === sinceMs) return Math.max(failures, seen?.count ?? 0);
    const count = Math.max(failures, (seen?.count ?? 0) + 1);
    known.failures.set(key, { count, sinceMs });
    return count;
  };

  const progressOf = (serviceId: string): Progress => {
    const known = progress.get(serviceId) ?? {
      healthySinceMs: new Map(),
      failures: new Map(),
      leavingSinceMs: new Map(),
      progressAtMs: nowMs(),
      settled: 0,
      old: Number.POSITIVE_INFINITY,
    };
    progress.set(serviceId, known);
    return known;
  };

  const advance = (service: ServiceRecord): void => {
    const active = service.rollout?.active;
    if (active === undefined) {
      due.delete(service.id);
      return;
    }
    const { settings, desired } = active;
    const revision = revisionOf(service.document);
    const known = progressOf(service.id);
    const wanted = wantedOf(service.id);
    const instances = wanted.map((record) => observe(record, revision, known, settings.settleMs));

    const settled = instances.filter(({ isNew, isSettled }) => isNew && isSettled).length;
    const old = instances.filter(({ isNew }) => !isNew).length;
    if (settled > known.settled || old < known.old) known.progressAtMs = nowMs();
    Object.assign(known, { settled, old });

    const failed = wanted.find(
      (record) =>
        revisionOf(record.document) === revision && failuresOf(record, known) >= FAILURES_BEFORE_ROLLBACK,
    );
    if (active.previous !== null && failed !== undefined) {
      goBack(service, active, `Instance ${parseInstanceKey(failed.key).number}: ${failed.detail}`);
      return;
    }
    // What runs needs its time to settle, too.
    const patienceMs = settings.giveUpMs + settings.settleMs;
    if (active.previous !== null && nowMs() - known.progressAtMs >= patienceMs) {
      goBack(service, active, stuckDetail(wanted, revision, settings.giveUpMs));
      return;
    }

    const leaving = leavingUntil(service.id, known);
    const { maxUnavailable } = settings;
    const step = planRollout({ desired, maxUnavailable, instances, leaving: leaving.length });
    if (step.isDone) {
      const detail = `All ${desired} instances are of revision ${revision}`;
      const isForward = active.previous !== null;
      settle(service, isForward ? { kind: 'completed', revision, detail, atMs: wallMs() } : undefined);
      return;
    }
    for (const key of step.remove) arbiter.unwant(key);
    for (let missing = step.add; missing > 0; missing -= 1) options.requestInstance(service.id);

    const settleTimes = instances
      .filter(({ isHealthy: serves, isSettled }) => serves && !isSettled)
      .map(({ key }) => (known.healthySinceMs.get(key) ?? nowMs()) + settings.settleMs);
    const giveUpAtMs = active.previous === null ? Number.POSITIVE_INFINITY : known.progressAtMs + patienceMs;
    due.set(service.id, Math.min(giveUpAtMs, ...settleTimes, ...leaving));
  };

  for (const { id, rollout } of services.values()) if (rollout?.active !== undefined) due.set(id, nowMs());

  return {
    begin(service, document, settings) {
      const { rollout } = service;
      const before = service.document;
      if (isSameDocument(before, document)) return;
      const wanted = wantedOf(service.id);
      const seen = wanted.map((record) => revisionOf(record.document));
      const revision = Math.max(rollout?.lastRevision ?? 1, revisionOf(before), ...seen) + 1;
      const target = withRevision(document, revision);
      // What ends by itself is not replaced; the next one is of the new revision.
      if (policyOf(target).isOneShot) {
        write({ ...service, document: target, rollout: { lastRevision: revision } });
        return;
      }
      const active: ActiveRollout = {
        settings,
        desired: rollout?.active?.desired ?? wanted.length,
        previous: rollout?.active?.previous ?? before,
        startedAtMs: wallMs(),
      };
      write({ ...service, document: target, rollout: { lastRevision: revision, active } });
      progress.delete(service.id);
      due.set(service.id, nowMs());
    },

    resize(serviceId, change) {
      const service = services.get(serviceId);
      const active = service?.rollout?.active;
      if (service?.rollout === undefined || active === undefined) return false;
      const desired = Math.max(0, change(active.desired));
      write({ ...service, rollout: { ...service.rollout, active: { ...active, desired } } });
      due.set(serviceId, nowMs());
      return true;
    },

    touched(serviceId) {
      if (due.has(serviceId)) due.set(serviceId, nowMs());
    },

    membersChanged() {
      for (const serviceId of due.keys()) due.set(serviceId, nowMs());
    },

    abandon() {
      for (const serviceId of [...due.keys()]) {
        const service = services.get(serviceId);
        if (service?.rollout?.active !== undefined) settle(service, undefined);
      }
    },

    tick() {
      // Who is still learning what runs must not judge it.
      if (arbiter.isLearning()) return;
      for (const [serviceId, atMs] of [...due]) {
        if (atMs > nowMs()) continue;
        const service = services.get(serviceId);
        if (service === undefined) {
          due.delete(serviceId);
          progress.delete(serviceId);
        } else advance(service);
      }
    },

    nextDeadlineMs() {
      if (due.size === 0 || arbiter.isLearning()) return undefined;
      const nextMs = Math.min(...due.values());
      return Number.isFinite(nextMs) ? nextMs : undefined;
    },
  };
}

/** In whatever order the fields were written. */
function isSameDocument(a: ServiceDocument, b: ServiceDocument): boolean {
  return isDeepStrictEqual(withRevision(a, 1), withRevision(b, 1));
}

function stuckDetail(wanted: readonly InstanceRecord[], revision: number, giveUpMs: number): string {
  const late = wanted.find((record) => revisionOf(record.document) === revision && !isHealthy(record));
  const reason = late === undefined ? 'no new instance stayed healthy' : `${late.status}: ${late.detail}`;
  return `No progress for ${Math.round(giveUpMs / 1000)} s (${reason})`;
}
