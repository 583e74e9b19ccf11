import type { Assignment } from '@oakestra/cluster';
import type { Epoch, InstanceKey } from '@oakestra/contracts';
import type { Effects, InstanceRecord, MemberMark, StoredState } from '@oakestra/ownership';
import type { ServiceRecord } from '@oakestra/root';
import type { SeededRandom } from '../virtual/random.ts';

/** What the store of a root or of a cluster holds. */
export interface TierStore {
  readonly incarnation: string;
  readonly counter: number;
  readonly floor: number;
  readonly boots: number;
  readonly records: ReadonlyMap<InstanceKey, InstanceRecord>;
  readonly members: ReadonlySet<string>;
  readonly marks: ReadonlyMap<string, MemberMark>;
  readonly services: ReadonlyMap<string, ServiceRecord>;
  readonly highestEpoch: Epoch;
  readonly assignments: ReadonlyMap<string, Assignment>;
  /** The store itself saw that it is a copy of an earlier state. */
  readonly wasRestored: boolean;
}

export function emptyStore(random: SeededRandom): TierStore {
  return {
    incarnation: `s${random.below(2 ** 30)}`,
    counter: 0,
    floor: 0,
    boots: 0,
    records: new Map(),
    members: new Set(),
    marks: new Map(),
    services: new Map(),
    highestEpoch: { root: 0, cluster: 0 },
    assignments: new Map(),
    wasRestored: false,
  };
}

export function storedState(store: TierStore): StoredState {
  const { incarnation, counter, floor, wasRestored } = store;
  return {
    incarnation,
    counter,
    floor,
    wasRestored,
    records: [...store.records.values()],
    members: [...store.members],
    marks: [...store.marks],
  };
}

export function withEffects(before: TierStore, effects: Effects): TierStore {
  let { records } = before;
  if (effects.writes.size > 0) {
    const next = new Map(records);
    for (const [key, record] of effects.writes) {
      if (record === null) next.delete(key);
      else next.set(key, record);
    }
    records = next;
  }
  let { marks } = before;
  if (effects.marks.size > 0) {
    const next = new Map(marks);
    for (const [id, mark] of effects.marks) {
      if (mark === null) next.delete(id);
      else next.set(id, mark);
    }
    marks = next;
  }
  // What was noticed is settled with the first thing that follows from it.
  return effects.counter === undefined
    ? { ...before, records, marks }
    : { ...before, records, marks, ...effects.counter, wasRestored: false };
}

export function withMember(before: TierStore, id: string): TierStore {
  return before.members.has(id) ? before : { ...before, members: new Set([...before.members, id]) };
}

/** Every member has room for everything. */
export const FACTS = {
  type: 'facts' as const,
  vcpus: 8,
  memoryTotalMib: 100_000,
  memoryAvailableMib: 100_000,
  cpuPercent: 0,
  memoryPercent: 0,
  activeWorkers: 1,
  virtualization: ['docker'],
  architectures: ['amd64'],
  largestWorkerMemoryMib: 100_000,
  largestWorkerVcpus: 8,
};

/** The virtual clock starts here on the wall: 2026. */
export const WALL_START_MS = 1_790_000_000_000;
