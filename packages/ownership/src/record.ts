import type { Epoch, InstanceKey, InstancePhase, ServiceDocument, StatusWord } from '@oakestra/contracts';
import type { PlacementNote } from './schedule.ts';
import type { Tier } from './tier.ts';

/**
 * `owner`: the legitimate holder. `replacement`: started because the owner is under suspicion; becomes the owner
 * when it is ready. `retired`: must stop, a newer owner exists.
 */
export type PlacementRole = 'owner' | 'replacement' | 'retired';

export interface Placement {
  readonly member: string;
  readonly epoch: Epoch;
  readonly role: PlacementRole;
  /** Which store of the member was told: another one cannot know whether it ran already. */
  readonly incarnation?: string;
}

/** The persisted truth of a tier about one instance. Replaced, never changed in place. */
export interface InstanceRecord {
  readonly key: InstanceKey;
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
  /** The root epoch under which this tier acts. At the root: that of the newest placement. */
  readonly authority: number;
  readonly wanted: 'running' | 'removed';
  /** Of the tombstone when `wanted` is `removed`. */
  readonly tombstone: Epoch | null;
  /** The tombstone was learned from below (our store is the older one), nobody asked us for it. */
  readonly isTombstoneLearned: boolean;
  /** It was to end here because another cluster got it, not because nobody wants it (cluster). */
  readonly isSuperseded?: boolean;
  /** Our store was restored: the tier above is asked whether this is still wanted (cluster). */
  readonly isUnconfirmed?: boolean;
  readonly placements: readonly Placement[];
  readonly phase: InstancePhase;
  readonly status: StatusWord;
  readonly detail: string;
  /** Our last decision; absent: none yet. */
  readonly placement?: PlacementNote;
  /** That of the owner, as it reports it. */
  readonly placementBelow?: PlacementNote | undefined;
  readonly failures: number;
  /** Which worker ran it and as which placement, as last reported by the member `via`. */
  readonly lastHolder: { readonly member: string; readonly epoch: Epoch; readonly via: string } | null;
  readonly workerId: string | null;
  readonly workerAddress: string | null;
  /** Unix milliseconds of the last change that was seen. */
  readonly sinceMs: number;
}

/** `full`: on disk before anyone hears of it; `normal`: an observation, which can be observed again. */
export type Durability = 'full' | 'normal';

export function placementOf(record: InstanceRecord, role: PlacementRole): Placement | undefined {
  return record.placements.find((placement) => placement.role === role);
}

export function withPlacements(record: InstanceRecord, placements: readonly Placement[]): InstanceRecord {
  return { ...record, placements };
}

export function withoutPlacement(record: InstanceRecord, placement: Placement): InstanceRecord {
  return withPlacements(
    record,
    record.placements.filter((other) => other !== placement),
  );
}

/** The same placements with another role for one of them. */
export function withRole(record: InstanceRecord, placement: Placement, role: PlacementRole): InstanceRecord {
  return withPlacements(
    record,
    record.placements.map((other) => (other === placement ? { ...other, role } : other)),
  );
}

/** At the root the newest epoch that it gave out is also what it acts under. */
export function withAuthority(
  tier: Tier,
  record: InstanceRecord,
  epoch: { readonly root: number },
): InstanceRecord {
  return tier === 'root' ? { ...record, authority: Math.max(record.authority, epoch.root) } : record;
}
