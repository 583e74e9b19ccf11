import {
  createMirror,
  type InstanceReport,
  instanceReportSchema,
  type MemberFacts,
  type Mirror,
} from '@oakestra/contracts';
import type { CandidateMember } from './schedule.ts';

/**
 * What an operator wants of a member: `cordoned` gets nothing new; from `draining` everything is moved away; `removed`
 * does not count any more, and what it still runs when it comes back has no claim.
 */
export type Availability = 'open' | 'cordoned' | 'draining' | 'removed';

/** An availability that somebody set, as it is stored. */
export interface MemberMark {
  readonly availability: Availability;
  /** Our newest epoch number at that time. */
  readonly at: number;
}

/** One holder of placements as its arbiter sees it: a cluster at the root, a worker at a cluster. */
export interface Member {
  readonly id: string;
  readonly mirror: Mirror<InstanceReport>;
  isUp: boolean;
  /** Of its store, as of its last greeting. */
  incarnation: string | undefined;
  /** When its silence may have consequences; monotonic milliseconds, meaningful while it is down. */
  actAfterMs: number;
  lastHeardMs: number;
  /** Start of its last session. */
  upSinceMs: number;
  facts: MemberFacts | undefined;
  mark: MemberMark;
  /** MiB promised to instances placed there. */
  reservedMemoryMib: number;
  /** Keys with a placement there. */
  readonly keys: Set<string>;
}

/** May something be concluded from a row that is absent? */
export function isAuthoritative(member: Member | undefined): member is Member {
  return member?.isUp === true && member.mirror.isSynced;
}

/** Is what it holds wanted elsewhere? */
export function isLeaving(member: Member | undefined): boolean {
  return member?.mark.availability === 'draining' || member?.mark.availability === 'removed';
}

/** All members that were ever met, and which of them may be given an instance. */
export interface Membership {
  get(id: string): Member | undefined;
  /** Makes it known; one that was never there is given `actAfterMs` to come. */
  ensure(id: string, actAfterMs: number, nowMs: number): Member;
  values(): IterableIterator<Member>;
  upCount(): number;
  setUp(member: Member, isUp: boolean): void;
  /** Members that are there, whose picture is complete and who said what they have. */
  candidates(): readonly CandidateMember[];
  /** Call when a mirror, the facts or the mark of a member changed. */
  reconsider(member: Member): void;
}

interface Enrolled {
  readonly member: Member;
  readonly candidate: CandidateMember;
  isCandidate: boolean;
}

export function createMembership(): Membership {
  const enrolled = new Map<string, Enrolled>();
  let upCount = 0;
  let candidates: readonly CandidateMember[] | undefined;

  const reconsider = (member: Member): void => {
    const entry = enrolled.get(member.id);
    const isReady = isAuthoritative(member) && member.facts !== undefined;
    const isCandidate = isReady && member.mark.availability === 'open';
    if (entry === undefined || entry.isCandidate === isCandidate) return;
    entry.isCandidate = isCandidate;
    candidates = undefined;
  };

  return {
    get: (id) => enrolled.get(id)?.member,
    ensure(id, actAfterMs, nowMs) {
      const present = enrolled.get(id);
      if (present !== undefined) return present.member;
      const member = createMember(id, actAfterMs, nowMs);
      enrolled.set(id, { member, candidate: candidateOf(member), isCandidate: false });
      return member;
    },
    *values() {
      for (const { member } of enrolled.values()) yield member;
    },
    upCount: () => upCount,
    setUp(member, isUp) {
      if (member.isUp === isUp) return;
      member.isUp = isUp;
      upCount += isUp ? 1 : -1;
      reconsider(member);
    },
    candidates() {
      candidates ??= Array.from(enrolled.values()).flatMap((entry) =>
        entry.isCandidate ? [entry.candidate] : [],
      );
      return candidates;
    },
    reconsider,
  };
}

function createMember(id: string, actAfterMs: number, nowMs: number): Member {
  return {
    id,
    mirror: createMirror(parseReport),
    isUp: false,
    incarnation: undefined,
    actAfterMs,
    lastHeardMs: nowMs,
    upSinceMs: nowMs,
    facts: undefined,
    mark: { availability: 'open', at: 0 },
    reservedMemoryMib: 0,
    keys: new Set(),
  };
}

/** Reads the member as it is now, so that nothing is copied for each placement. */
function candidateOf(member: Member): CandidateMember {
  return {
    id: member.id,
    get facts() {
      return member.facts as NonNullable<Member['facts']>;
    },
    get reservedMemoryMib() {
      return member.reservedMemoryMib;
    },
  };
}

function parseReport(value: unknown): InstanceReport | undefined {
  const parsed = instanceReportSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** Has every member shown what it has? */
export function isEveryoneHeard({ membership }: { readonly membership: Membership }): boolean {
  for (const { mark, isUp, mirror } of membership.values()) {
    const isCounted = mark.availability !== 'removed' || isUp;
    if (isCounted && !mirror.isSynced) return false;
  }
  return true;
}
