import type { MemberFacts, ServiceDocument, StatusWord } from '@oakestra/contracts';

/** One member as the scheduler sees it. Read it at once: it changes with the member. */
export interface CandidateMember {
  readonly id: string;
  readonly facts: MemberFacts;
  readonly reservedMemoryMib: number;
}

export type ScheduleDecision =
  | { readonly kind: 'chosen'; readonly member: string; readonly reason: string }
  | { readonly kind: 'none'; readonly status: StatusWord; readonly detail: string };

/** The choice of a member: pure, given by the tier. */
export type Schedule = (request: {
  readonly document: ServiceDocument;
  readonly candidates: readonly CandidateMember[];
}) => ScheduleDecision;
