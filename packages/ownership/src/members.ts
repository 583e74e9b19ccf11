import {
  createMirror,
  type InstanceReport,
  instanceReportSchema,
  type MemberFacts,
  type Mirror,
} from '@oakestra/contracts';

/** One holder of placements as its arbiter sees it: a cluster at the root, a worker at a cluster. */
export interface Member {
  readonly id: string;
  readonly mirror: Mirror<InstanceReport>;
  isUp: boolean;
  /** When its silence may have consequences; monotonic milliseconds, meaningful while it is down. */
  actAfterMs: number;
  lastHeardMs: number;
  facts: MemberFacts | undefined;
  /** MiB promised to instances placed there. */
  reservedMemoryMib: number;
  /** Keys with a placement there. */
  readonly keys: Set<string>;
}

export function createMember(id: string, actAfterMs: number, nowMs: number): Member {
  return {
    id,
    mirror: createMirror(parseReport),
    isUp: false,
    actAfterMs,
    lastHeardMs: nowMs,
    facts: undefined,
    reservedMemoryMib: 0,
    keys: new Set(),
  };
}

function parseReport(value: unknown): InstanceReport | undefined {
  const parsed = instanceReportSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** May something be concluded from a row that is absent? */
export function isAuthoritative(member: Member | undefined): member is Member {
  return member?.isUp === true && member.mirror.isSynced;
}
