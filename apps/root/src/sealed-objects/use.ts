import { type SealedReference, type ServiceDocument, sealedReferencesOf } from '@oakestra/contracts';
import type { SealedObject } from './sealed-objects.ts';

/** What of a service says which secrets and configs it uses. */
export interface UsingService {
  readonly document: ServiceDocument;
  readonly previousDocument?: ServiceDocument | undefined;
  readonly ownerUserId: string;
  readonly instances: readonly { readonly sealedReferences: readonly SealedReference[] }[];
}

/** Who refers to an object. */
interface Use {
  /** Full names of the services. */
  readonly services: readonly string[];
  /** Versions that instances have, or that services ask for. */
  readonly versions: ReadonlySet<number>;
}

/** `isKnown`: a reference to an object that is not, after a root lost its store, means the one of its name. */
export function useOf(
  { id, kind, name, ownerUserId }: Pick<SealedObject, 'id' | 'kind' | 'name' | 'ownerUserId'>,
  services: readonly UsingService[],
  isKnown: (reference: SealedReference) => boolean,
): Use {
  const names: string[] = [];
  const versions = new Set<number>();
  for (const service of services) {
    const isMeant = (reference: SealedReference): boolean =>
      reference.id === id ||
      (reference.kind === kind &&
        reference.name === name &&
        service.ownerUserId === ownerUserId &&
        !isKnown(reference));
    const { document, previousDocument = document } = service;
    const own = [document, previousDocument].flatMap(sealedReferencesOf).filter(isMeant);
    const ofInstances = service.instances.flatMap(({ sealedReferences }) => sealedReferences).filter(isMeant);
    for (const { version } of [...own, ...ofInstances]) if (version !== null) versions.add(version);
    if (own.length > 0 || ofInstances.length > 0) names.push(document.job_name);
  }
  return { services: names, versions };
}
