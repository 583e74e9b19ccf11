import {
  SEALED_REFERENCES_FIELD,
  type SealedReference,
  type ServiceDocument,
  sealedReferencesOf,
} from '@oakestra/contracts';
import type { SealedObject } from './sealed-objects.ts';

type Known = Pick<SealedObject, 'id' | 'kind' | 'name' | 'ownerUserId' | 'newestVersion'>;

/** Which version is the newest, in memory: what is deployed is told it without a look into the store. */
export interface NewestVersions {
  set(object: Known): void;
  delete(id: string): void;
  of(reference: Pick<SealedReference, 'id'>): number | undefined;
  /** The document of an instance that is deployed now: every reference says its version. */
  pinned(service: { readonly document: ServiceDocument; readonly ownerUserId: string }): ServiceDocument;
}

export function createNewestVersions(objects: readonly Known[]): NewestVersions {
  const byId = new Map(objects.map((object) => [object.id, object]));

  /** A root that lost its store knows other ids: the same name of the same owner means the same. */
  const objectOf = (reference: SealedReference, ownerUserId: string): Known | undefined => {
    const known = byId.get(reference.id);
    if (known !== undefined) return known;
    for (const object of byId.values()) {
      const isNamed = object.kind === reference.kind && object.name === reference.name;
      if (isNamed && object.ownerUserId === ownerUserId) return object;
    }
    return undefined;
  };

  return {
    set: (object) => void byId.set(object.id, object),
    delete: (id) => void byId.delete(id),
    of: ({ id }) => byId.get(id)?.newestVersion,
    pinned({ document, ownerUserId }) {
      const references = sealedReferencesOf(document);
      if (references.length === 0) return document;
      const pinned = references.map((reference): SealedReference => {
        const object = objectOf(reference, ownerUserId);
        if (object === undefined) return reference;
        const isSame = object.id === reference.id;
        const version = (isSame ? reference.version : null) ?? object.newestVersion;
        return { ...reference, id: object.id, version };
      });
      return { ...document, [SEALED_REFERENCES_FIELD]: pinned };
    },
  };
}
