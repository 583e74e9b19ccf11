import {
  type JsonObject,
  MOST_SEALED_BYTES,
  type SealedReference,
  type Violation,
} from '@oakestra/contracts';
import type { SealedKind, SealedObject } from './sealed-objects.ts';

/** Whose secrets and configs an application may use. */
export interface ReferenceScope {
  readonly ownerUserId: string;
  /** Where the application was created; undefined: nobody knows, only its owner counts. */
  readonly organisationId: string | undefined;
  /** Does this organisation share what its members create? */
  readonly isShared: boolean;
}

export interface ResolvedReferences {
  readonly references: readonly SealedReference[];
  readonly violations: readonly Violation[];
}

interface Given {
  readonly version?: number;
  readonly environment?: string;
  readonly file?: string;
  readonly mode?: string;
  readonly owner?: string;
}

/** Longer strings are refused by the kernel when the program starts. */
const LONGEST_VARIABLE = 64 * 1024;

/**
 * What `secrets` and `configs` of a checked microservice stand for. The owner's own object of a name wins; else the one
 * of the same organisation, where it shares.
 */
export function resolveReferences(
  microservice: JsonObject,
  path: string,
  scope: ReferenceScope,
  objects: readonly SealedObject[],
): ResolvedReferences {
  const references: SealedReference[] = [];
  const violations: Violation[] = [];
  let totalBytes = 0;

  const resolve = (
    kind: SealedKind,
    given: Given & Readonly<Record<string, unknown>>,
    place: string,
  ): void => {
    const name = String(given[kind]);
    const refuse = (field: string, message: string): void =>
      void violations.push({ path: `${place}.${field}`, message });
    const found = candidates(objects, kind, name, scope);
    const [object, other] = found;
    if (object === undefined) {
      refuse(
        kind,
        `names the ${kind} ${JSON.stringify(name)}, which this application does not have; create it first`,
      );
      return;
    }
    if (other !== undefined) {
      refuse(
        kind,
        `fits several of the organisation; name one by its id: ${found.map(({ id }) => id).join(', ')}`,
      );
      return;
    }
    const wanted = given.version ?? object.newestVersion;
    const version = object.versions.find((kept) => kept.version === wanted);
    if (version === undefined) {
      const kept = object.versions.map((one) => one.version).join(', ');
      refuse('version', `must be a version that is kept (${kept}), not ${wanted}`);
      return;
    }
    if (given.environment !== undefined && !version.isText) {
      refuse('environment', `cannot be: the ${kind} ${JSON.stringify(name)} is no text; take a file`);
    } else if (given.environment !== undefined && version.sizeBytes > LONGEST_VARIABLE) {
      refuse(
        'environment',
        `cannot be: the ${kind} has more than ${LONGEST_VARIABLE / 1024} KiB; take a file`,
      );
    }
    totalBytes += version.sizeBytes;
    references.push(referenceTo(object, given));
  };

  for (const kind of ['secret', 'config'] as const) {
    const list = microservice[`${kind}s`];
    if (!Array.isArray(list)) continue;
    for (const [index, given] of list.entries()) resolve(kind, given, `${path}.${kind}s[${index}]`);
  }
  if (totalBytes > MOST_SEALED_BYTES) {
    const message = `gets ${totalBytes} bytes of secrets and configs, at most ${MOST_SEALED_BYTES} are possible`;
    violations.push({ path, message });
  }
  return { references, violations };
}

function candidates(
  objects: readonly SealedObject[],
  kind: SealedKind,
  name: string,
  { ownerUserId, organisationId, isShared }: ReferenceScope,
): readonly SealedObject[] {
  const usable = objects.filter((object) => {
    if (object.kind !== kind || (object.name !== name && object.id !== name)) return false;
    const isOwn = object.ownerUserId === ownerUserId;
    if (organisationId === undefined) return isOwn;
    // What its owner keeps in another organisation is not for the members of this one.
    return object.organisationId === organisationId && (isOwn || isShared);
  });
  const own = usable.filter((object) => object.ownerUserId === ownerUserId);
  return own.length > 0 ? own : usable;
}

function referenceTo({ kind, id, name }: SealedObject, given: Given): SealedReference {
  const { environment, file, mode, owner } = given;
  return {
    ...{ kind, id, name, version: given.version ?? null },
    ...(environment === undefined ? {} : { environment }),
    ...(file === undefined ? {} : { file }),
    ...(mode === undefined ? {} : { mode }),
    ...(owner === undefined ? {} : { owner }),
  };
}
