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

export type PlacementDecision =
  | { readonly kind: 'chosen'; readonly member: string; readonly reason: string }
  | { readonly kind: 'none'; readonly status: StatusWord; readonly detail: string };

/** The words of one tier for "nothing fits". */
export interface FitWords {
  /** `worker` or `cluster`. */
  readonly member: string;
  readonly nobodyThere: StatusWord;
  readonly noCapacity: StatusWord;
}

/** A reason why a candidate cannot take the request; undefined: it can. */
export type Filter = (request: ServiceDocument, candidate: Candidate) => string | undefined;

/**
 * Takes the first candidate, in the order given, that passes all filters. The detail of a refusal counts the
 * candidates by reason, so that a user sees what to change.
 */
export function firstFit(request: PlacementRequest, words: FitWords): PlacementDecision {
  const { document, candidates } = request;
  if (candidates.length === 0) {
    return { kind: 'none', status: words.nobodyThere, detail: `No ${words.member} is connected` };
  }
  const refusals = new Map<string, number>();
  for (const candidate of candidates) {
    const refusal = FILTERS.map((filter) => filter(document, candidate)).find((text) => text !== undefined);
    if (refusal === undefined) {
      return { kind: 'chosen', member: candidate.id, reason: `First ${words.member} that fits` };
    }
    refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
  }
  const reasons = [...refusals].map(([text, count]) => (count === 1 ? text : `${text} (${count} times)`));
  const detail = `No ${words.member} fits: ${reasons.join('; ')}`;
  return { kind: 'none', status: words.noCapacity, detail };
}

const runtime: Filter = (document, { facts }) =>
  facts.virtualization.includes(document.virtualization)
    ? undefined
    : `none of the runtimes offered (${facts.virtualization.join(', ') || 'none'}) is "${document.virtualization}"`;

/** Processor time is shared: an instance may ask for as many cores as there are, whatever others ask for. */
const processor: Filter = (document, { facts }) => {
  const wanted = amount(document.vcpus);
  return wanted <= facts.largestWorkerVcpus
    ? undefined
    : `${wanted} vcpus are wanted, the largest worker has ${facts.largestWorkerVcpus}`;
};

/** Memory is promised: all instances together must fit. */
const memory: Filter = (document, { facts, reservedMemoryMib }) => {
  const wanted = amount(document.memory);
  if (wanted > facts.largestWorkerMemoryMib) {
    return `${wanted} MiB of memory are wanted, the largest worker has ${facts.largestWorkerMemoryMib}`;
  }
  const free = facts.memoryTotalMib - reservedMemoryMib;
  return wanted <= free
    ? undefined
    : `${wanted} MiB of memory are wanted, ${Math.max(0, free)} are not promised yet`;
};

/** Peers of the original, and older ones of ours, promise less. */
const abilities: Filter = (document, { facts: { capabilities } }) => {
  if (capabilities === undefined) return undefined;
  const missing = neededCapabilities(document).filter((needed) => !capabilities.includes(needed));
  return missing.length === 0 ? undefined : `it does not know: ${missing.join(', ')}`;
};

const FILTERS: readonly Filter[] = [abilities, runtime, processor, memory];

function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
