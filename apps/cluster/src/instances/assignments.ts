import {
  type AssignCommand,
  type Digest,
  globalDocument,
  globalInstanceNumber,
  type InstanceKey,
  instanceKey,
  matchesLabels,
  parseInstanceKey,
  type ServiceDocument,
  selectorOf,
} from '@oakestra/contracts';
import type { Arbiter, Member } from '@oakestra/ownership';

/** A global service that this cluster runs by itself; without a document: not any more. */
export interface Assignment {
  readonly serviceId: string;
  readonly version: number;
  readonly document: ServiceDocument | null;
  readonly ownerUserId: string;
}

/** Makes and removes the instances of global services, one for each worker that matches. */
export interface Assignments {
  /** Says whether anything changed. */
  take(command: AssignCommand): boolean;
  /** Workers, their labels or their instances may have changed. */
  touch(): void;
  /** Is there something that `settle` would look at? */
  isTouched(): boolean;
  /** Closes the difference between what is assigned and what there is. */
  settle(): void;
  rows(): NonNullable<Digest['assignments']>;
  /** Newest by service; null: delete it. */
  takeWrites(): ReadonlyMap<string, Assignment | null>;
}

export function createAssignments(options: {
  readonly stored: readonly Assignment[];
  readonly arbiter: Pick<Arbiter, 'record' | 'records' | 'members' | 'deploy' | 'remove' | 'discard'>;
  readonly clusterName: () => string;
  readonly workerName: (workerId: string) => string;
}): Assignments {
  const { arbiter } = options;
  const assignments = new Map(options.stored.map((assignment) => [assignment.serviceId, assignment]));
  let writes = new Map<string, Assignment | null>();
  let isTouched = assignments.size > 0;

  const keysOf = (serviceId: string): InstanceKey[] =>
    Array.from(arbiter.records(), ({ key }) => key).filter(
      (key) => parseInstanceKey(key).serviceId === serviceId,
    );

  const run = (assignment: Assignment, document: ServiceDocument, worker: Readonly<Member>): void => {
    const { serviceId, version, ownerUserId } = assignment;
    const key = instanceKey(serviceId, globalInstanceNumber(worker.id));
    const record = arbiter.record(key);
    const isMatched = matchesLabels(selectorOf(document).worker, worker.facts?.labels ?? {});
    if (!isMatched) {
      arbiter.discard(key);
      return;
    }
    // A tombstone of the root that is younger than the assignment ends it; one of ours ends when the worker matches.
    const mayBegin =
      record === undefined || (record.phase === 'removed' && (record.tombstone?.root ?? 0) <= version);
    if (!mayBegin) return;
    const place = { cluster: options.clusterName(), worker: options.workerName(worker.id) };
    arbiter.deploy({
      type: 'deploy',
      key,
      epoch: { root: version, cluster: 0 },
      document: globalDocument(document, place),
      ownerUserId,
    });
  };

  const end = ({ serviceId, version }: Assignment): void => {
    for (const key of keysOf(serviceId)) {
      arbiter.remove({ type: 'remove', key, epoch: { root: version, cluster: 0 }, reason: 'tombstone' });
    }
  };

  const forgetWhenOver = ({ serviceId }: Assignment): boolean => {
    if (keysOf(serviceId).length > 0) return false;
    assignments.delete(serviceId);
    writes.set(serviceId, null);
    return true;
  };

  return {
    take({ serviceId, version, document, ownerUserId }) {
      const present = assignments.get(serviceId);
      const isRepeated = present?.version === version && present.document === null && document === null;
      if (isRepeated) return forgetWhenOver(present);
      if (present !== undefined && version <= present.version) return false;
      // It is over here already.
      if (present === undefined && document === null && keysOf(serviceId).length === 0) return false;
      const assignment = { serviceId, version, document: document as ServiceDocument | null, ownerUserId };
      assignments.set(serviceId, assignment);
      writes.set(serviceId, assignment);
      if (document === null) end(assignment);
      isTouched = true;
      return true;
    },
    touch() {
      isTouched = assignments.size > 0;
    },
    isTouched: () => isTouched,
    settle() {
      if (!isTouched) return;
      isTouched = false;
      for (const assignment of assignments.values()) {
        const { document } = assignment;
        if (document === null) continue;
        for (const worker of arbiter.members())
          if (worker.facts !== undefined) run(assignment, document, worker);
      }
    },
    rows: () =>
      Array.from(assignments.values(), ({ serviceId, version, document }) => ({
        ...{ serviceId, version },
        isActive: document !== null,
      })),
    takeWrites() {
      const taken = writes;
      writes = new Map();
      return taken;
    },
  };
}
