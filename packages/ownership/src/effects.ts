import type { InstanceKey, TierCommand } from '@oakestra/contracts';
import type { MemberMark } from './members.ts';
import type { Durability, InstanceRecord } from './record.ts';

/** What a tier keeps of the epochs that it gives out. */
export interface EpochState {
  readonly counter: number;
  readonly incarnation: string;
  /** The first number that this store gave out; 0: none yet. What it gave out since, it knows of. */
  readonly floor: number;
}

/** What an arbiter wants done, in this order: first everything is written, then everything is said. */
export interface Effects {
  /** Newest record by key; null: delete it. */
  readonly writes: ReadonlyMap<InstanceKey, InstanceRecord | null>;
  /** Present when any of it changed. */
  readonly counter: EpochState | undefined;
  /** Newest mark by member; null: it is open again. */
  readonly marks: ReadonlyMap<string, MemberMark | null>;
  readonly durability: Durability;
  readonly sends: readonly { readonly member: string; readonly message: TierCommand }[];
  readonly notices: readonly Notice[];
}

export type Notice =
  /** The record changed in a way that the tier above or a reader may want to see. */
  | { readonly kind: 'changed'; readonly key: InstanceKey }
  | { readonly kind: 'adopted'; readonly key: InstanceKey; readonly member: string }
  | { readonly kind: 'removed'; readonly key: InstanceKey }
  | { readonly kind: 'placed'; readonly key: InstanceKey; readonly member: string; readonly reason: string }
  | { readonly kind: 'replacing'; readonly key: InstanceKey; readonly lost: string; readonly member: string }
  | { readonly kind: 'replacement-cancelled'; readonly key: InstanceKey; readonly returned: string }
  /** An at-most-once instance that may have run already is not started again. */
  | { readonly kind: 'given-up'; readonly key: InstanceKey; readonly member: string }
  | { readonly kind: 'loss-doubted'; readonly heldForMs: number }
  | { readonly kind: 'store-restored'; readonly seen: number; readonly own: number };

/** Collects effects between two `take()`s. */
export interface EffectCollector {
  write(record: InstanceRecord, durability: Durability): void;
  erase(key: InstanceKey): void;
  counterChanged(state: EpochState): void;
  marked(member: string, mark: MemberMark | null): void;
  send(member: string, message: TierCommand): void;
  notice(notice: Notice): void;
  take(): Effects;
}

export function createEffectCollector(): EffectCollector {
  let writes = new Map<InstanceKey, InstanceRecord | null>();
  let counter: Effects['counter'];
  let marks = new Map<string, MemberMark | null>();
  let durability: Durability = 'normal';
  let sends: { member: string; message: TierCommand }[] = [];
  let notices: Notice[] = [];
  return {
    write(record, wantedDurability) {
      writes.set(record.key, record);
      if (wantedDurability === 'full') durability = 'full';
    },
    erase(key) {
      writes.set(key, null);
    },
    counterChanged(state) {
      counter = state;
      durability = 'full';
    },
    marked(member, mark) {
      marks.set(member, mark);
      durability = 'full';
    },
    send(member, message) {
      sends.push({ member, message });
    },
    notice(notice) {
      notices.push(notice);
    },
    take() {
      const effects: Effects = { writes, counter, marks, durability, sends, notices };
      writes = new Map();
      counter = undefined;
      marks = new Map();
      durability = 'normal';
      sends = [];
      notices = [];
      return effects;
    },
  };
}
