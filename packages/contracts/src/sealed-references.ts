import type { JsonObject } from './documents.ts';

/**
 * A secret or config that the instances of a service get, as the root resolved it from `secrets` and `configs` of the
 * microservice. It travels with the document; what it stands for never does.
 */
export interface SealedReference {
  readonly kind: 'secret' | 'config';
  readonly id: string;
  /** As the author named it. */
  readonly name: string;
  /** Null in the document of a service: the newest at the time of the deployment. */
  readonly version: number | null;
  /** Name of the variable; absent when it becomes a file. */
  readonly environment?: string;
  /** Absolute path inside of the container. */
  readonly file?: string;
  /** Of the file, octal. */
  readonly mode?: string;
  /** Of the file: `<uid>:<gid>`. */
  readonly owner?: string;
}

/** What a reference stands for, on its way to the worker that needs it. Never logged, never part of a document. */
export interface SealedValue {
  readonly id: string;
  readonly version: number;
  readonly base64: string;
}

/** Field of a service document that only the root sets. Original workers ignore it. */
export const SEALED_REFERENCES_FIELD = 'sealed_objects';

export const DEFAULT_FILE_MODE = '0444';

/** All of them together must fit into one message between tiers. */
export const MOST_SEALED_BYTES = 2 * 1024 * 1024;

const NONE: readonly SealedReference[] = [];

/** What is no reference is left out: a document may come from anywhere. */
export function sealedReferencesOf(document: JsonObject): readonly SealedReference[] {
  const value = document[SEALED_REFERENCES_FIELD];
  return Array.isArray(value) ? value.filter(isReference) : NONE;
}

/** Names one version of one object. */
export function sealedVersionKey({ id, version }: Pick<SealedReference, 'id' | 'version'>): string {
  return `${id}.${version ?? 0}`;
}

/** The versions that an instance with this document needs, each once. */
export function sealedVersionsOf(document: JsonObject): ReadonlySet<string> {
  const references = sealedReferencesOf(document);
  return references.length === 0 ? NO_VERSIONS : new Set(references.map(sealedVersionKey));
}

const NO_VERSIONS: ReadonlySet<string> = new Set();

function isReference(value: unknown): value is SealedReference {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, id, name, version, environment, file, mode, owner } = value as Record<string, unknown>;
  return (
    (kind === 'secret' || kind === 'config') &&
    typeof id === 'string' &&
    /^[0-9a-f]{24}$/.test(id) &&
    typeof name === 'string' &&
    (version === null || (Number.isSafeInteger(version) && Number(version) > 0)) &&
    (typeof environment === 'string') !== (typeof file === 'string') &&
    (mode === undefined || typeof mode === 'string') &&
    (owner === undefined || typeof owner === 'string')
  );
}
