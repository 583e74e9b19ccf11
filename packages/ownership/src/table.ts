import type { InstanceKey } from '@oakestra/contracts';
import type { Member } from './members.ts';
import { type InstanceRecord, placementOf } from './record.ts';

/** The records of a tier, and what follows from all of them together. */
export interface RecordTable {
  get(key: InstanceKey): InstanceRecord | undefined;
  values(): IterableIterator<InstanceRecord>;
  put(record: InstanceRecord): void;
  delete(record: InstanceRecord): void;
  /** Wanted, and owned by nobody. */
  unplaced(): Iterable<InstanceKey>;
}

export function createRecordTable(memberOf: (id: string) => Member): RecordTable {
  const records = new Map<InstanceKey, InstanceRecord>();
  const unplaced = new Set<InstanceKey>();

  const account = (record: InstanceRecord, sign: 1 | -1): void => {
    const memoryMib = memoryOf(record);
    for (const placement of record.placements) {
      const member = memberOf(placement.member);
      member.reservedMemoryMib += sign * memoryMib;
      if (sign === 1) member.keys.add(record.key);
      else member.keys.delete(record.key);
    }
  };

  return {
    get: (key) => records.get(key),
    values: () => records.values(),
    put(record) {
      const before = records.get(record.key);
      if (before !== undefined) account(before, -1);
      account(record, 1);
      records.set(record.key, record);
      const isUnplaced = record.wanted === 'running' && placementOf(record, 'owner') === undefined;
      if (isUnplaced) unplaced.add(record.key);
      else unplaced.delete(record.key);
    },
    delete(record) {
      account(record, -1);
      unplaced.delete(record.key);
      records.delete(record.key);
    },
    unplaced: () => unplaced,
  };
}

function memoryOf(record: InstanceRecord): number {
  const { memory } = record.document;
  return typeof memory === 'number' && memory > 0 ? memory : 0;
}
