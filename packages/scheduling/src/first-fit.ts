import {
  type MemberFacts,
  neededCapabilities,
  type ServiceDocument,
  type StatusWord,
} from '@oakestra/contracts';

/** A worker (at a cluster) or a cluster (at the root) that may be given an instance. */
export interface Candidate {
  readonly id: string;
  readonly facts: MemberFacts;
  /** MiB already promised to instances there. */
  readonly reservedMemoryMib: number;
}

export interface PlacementRequest {
  readonly document: ServiceDocument;
  readonly candidates: readonly Candidate[];
}

/** What a member lacks. */
interface Lack {
  /** Stable, such as `memory`. */
  readonly code: string;
  /** For people. */
  readonly reason: string;
  readonly wanted: string | number;
  readonly available: string | number;
}

/** Why one candidate was not chosen. */
export interface Rejection extends Lack {
  readonly member: string;
}

export type PlacementDecision =
  | { readonly kind: 'chosen'; readonly member: string; readonly reason: string }
  | {
      readonly kind: 'none';
      readonly status: StatusWord;
      readonly detail: string;
      /** One for each candidate, the first hundred. */
      readonly rejections: readonly Rejection[];
    };

/** The words of one tier for "nothing fits". */
export interface FitWords {
  /** `worker` or `cluster`. */
  readonly member: string;
  readonly nobodyThere: StatusWord;
  readonly noCapacity: StatusWord;
}

/** A reason why a candidate cannot take the request; undefined: it can. */
export type Filter = (request: ServiceDocument, candidate: Candidate) => Lack | undefined;

/**
 * Takes the first candidate, in the order given, that passes all filters. The detail of a refusal counts the
 * candidates by reason, so that a user sees what to change.
 */
export function firstFit(request: PlacementRequest, words: FitWords): PlacementDecision {
  const { document, candidates } = request;
  if (candidates.length === 0) {
    return {
      kind: 'none',
      status: words.nobodyThere,
      detail: `No ${words.member} is connected`,
      rejections: [],
    };
  }
  const refusals = new Map<string, number>();
  const rejections: Rejection[] = [];
  for (const candidate of candidates) {
    const lack = lackOf(document, candidate);
    if (lack === undefined) {
      return { kind: 'chosen', member: candidate.id, reason: `First ${words.member} that fits` };
    }
    refusals.set(lack.reason, (refusals.get(lack.reason) ?? 0) + 1);
    if (rejections.length < MOST_REJECTIONS) rejections.push({ member: candidate.id, ...lack });
  }
  const reasons = [...refusals].map(([text, count]) => (count === 1 ? text : `${text} (${count} times)`));
  const detail = `No ${words.member} fits: ${reasons.join('; ')}`;
  return { kind: 'none', status: words.noCapacity, detail, rejections };
}

const MOST_REJECTIONS = 100;

function lackOf(document: ServiceDocument, candidate: Candidate): Lack | undefined {
  for (const filter of FILTERS) {
    const lack = filter(document, candidate);
    if (lack !== undefined) return lack;
  }
  return undefined;
}

const runtime: Filter = ({ virtualization }, { facts }) => {
  if (facts.virtualization.includes(virtualization)) return undefined;
  const available = facts.virtualization.join(', ') || 'none';
  const reason = `none of the runtimes offered (${available}) is "${virtualization}"`;
  return { code: 'runtime', reason, wanted: virtualization, available };
};

/** Processor time is shared: an instance may ask for as many cores as there are, whatever others ask for. */
const processor: Filter = (document, { facts: { largestWorkerVcpus: available } }) => {
  const wanted = amount(document.vcpus);
  if (wanted <= available) return undefined;
  const reason = `${wanted} vcpus are wanted, the largest worker has ${available}`;
  return { code: 'vcpus', reason, wanted, available };
};

/** Memory is promised: all instances together must fit. */
const memory: Filter = (document, { facts, reservedMemoryMib }) => {
  const wanted = amount(document.memory);
  const largest = facts.largestWorkerMemoryMib;
  if (wanted > largest) {
    const reason = `${wanted} MiB of memory are wanted, the largest worker has ${largest}`;
    return { code: 'memory', reason, wanted, available: largest };
  }
  const free = facts.memoryTotalMib - reservedMemoryMib;
  if (wanted <= free) return undefined;
  const available = Math.max(0, free);
  const reason = `${wanted} MiB of memory are wanted, ${available} are not promised yet`;
  return { code: 'memory', reason, wanted, available };
};

/** Peers of the original, and older ones of ours, promise less. */
const abilities: Filter = (document, { facts: { capabilities } }) => {
  if (capabilities === undefined) return undefined;
  const missing = neededCapabilities(document).filter((needed) => !capabilities.includes(needed));
  if (missing.length === 0) return undefined;
  const reason = `it does not know: ${missing.join(', ')}`;
  return { code: 'capabilities', reason, wanted: missing.join(', '), available: capabilities.join(', ') };
};

const FILTERS: readonly Filter[] = [abilities, runtime, processor, memory];

function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
