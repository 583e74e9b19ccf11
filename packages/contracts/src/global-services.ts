import type { ServiceDocument } from './documents.ts';
import type { Labels } from './labels.ts';
import { textHash } from './replication/checksum.ts';

/** `mode: global`: every worker that matches the selector runs exactly one instance. */
export function isGlobal(document: ServiceDocument): boolean {
  return document.mode === 'global';
}

/** The labels that clusters and their workers must have. */
export function selectorOf(document: ServiceDocument): { readonly cluster: Labels; readonly worker: Labels } {
  const { cluster = {}, worker = {} } = (document.selector ?? {}) as { cluster?: Labels; worker?: Labels };
  return { cluster, worker };
}

const NUMBERS = 2 ** 48;

/**
 * The number of the instance of a global service on this worker, the same for ever: nobody has to give it out, and
 * whoever lost his store comes to the same one.
 */
export function globalInstanceNumber(workerId: string): number {
  return textHash(workerId) % NUMBERS;
}

/** The document for one worker: every override that names its cluster, or it, or neither, in the order given. */
export function globalDocument(
  document: ServiceDocument,
  place: { readonly cluster: string; readonly worker: string },
): ServiceDocument {
  const overrides = Array.isArray(document.overrides) ? (document.overrides as GlobalOverride[]) : [];
  let result = document;
  for (const { cluster = place.cluster, worker = place.worker, environment, ...fields } of overrides) {
    if (cluster !== place.cluster || worker !== place.worker) continue;
    result = {
      ...result,
      ...fields,
      ...(fields.code === undefined ? {} : { image: fields.code }),
      ...(environment === undefined ? {} : { environment: merged(result.environment, environment) }),
    };
  }
  return result;
}

interface GlobalOverride {
  readonly cluster?: string;
  readonly worker?: string;
  readonly environment?: readonly string[];
  readonly code?: string;
  readonly cmd?: readonly string[];
  readonly memory?: number;
  readonly vcpus?: number;
}

const nameOf = (entry: string): string => entry.slice(0, entry.indexOf('='));

function merged(present: unknown, overrides: readonly string[]): readonly string[] {
  const set = new Set(overrides.map(nameOf));
  const kept = Array.isArray(present) ? (present as string[]).filter((entry) => !set.has(nameOf(entry))) : [];
  return [...kept, ...overrides];
}
