import type { InstanceKey, MemberFacts, ServiceDocument, StatusWord } from '@oakestra/contracts';

/** One member as the scheduler sees it. Read it at once: it changes with the member. */
export interface CandidateMember {
  readonly id: string;
  readonly facts: MemberFacts;
  readonly reservedMemoryMib: number;
}

/** Why one member was not chosen. */
export interface Rejection {
  readonly member: string;
  /** Stable, such as `memory`. */
  readonly code: string;
  /** For people. */
  readonly reason: string;
  readonly wanted?: string | number;
  readonly available?: string | number;
}

/** The last decision about where an instance runs, as data. */
export interface PlacementNote {
  /** `placed`, or why not: `nobody-there`, `nobody-fits`, `stays`. */
  readonly code: string;
  readonly reason: string;
  /** The first of them. */
  readonly rejections: readonly Rejection[];
}

export type ScheduleDecision =
  | { readonly kind: 'chosen'; readonly member: string; readonly reason: string }
  | {
      readonly kind: 'none';
      readonly status: StatusWord;
      readonly detail: string;
      /** Default: none, nobody was there. */
      readonly rejections?: readonly Rejection[];
    };

/** The choice of a member: pure, given by the tier. */
export type Schedule = (request: {
  /** Of the instance that is placed. */
  readonly key?: InstanceKey;
  readonly document: ServiceDocument;
  readonly candidates: readonly CandidateMember[];
}) => ScheduleDecision;
