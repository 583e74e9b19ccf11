import type { SealedReference, Sensitive, ServiceDocument, Violation } from '@oakestra/contracts';
import type { Caller } from '../identity/index.ts';

export type SealedKind = 'secret' | 'config';

export interface SealedVersion {
  readonly version: number;
  readonly sizeBytes: number;
  /** It can be the value of an environment variable. */
  readonly isText: boolean;
  readonly createdAtMs: number;
}

/** A secret or a config, without what it holds. */
export interface SealedObject {
  readonly id: string;
  readonly kind: SealedKind;
  readonly ownerUserId: string;
  readonly organisationId: string;
  readonly name: string;
  readonly description: string;
  readonly newestVersion: number;
  /** Those that are kept, newest first. */
  readonly versions: readonly SealedVersion[];
}

/** As it was sent: text, or bytes in base64. */
export interface GivenContent {
  readonly text?: string | undefined;
  readonly base64?: string | undefined;
}

/** Secrets and configs of users, encrypted at rest. Changes are on disk, with their audit entries, when they resolve. */
export interface SealedObjects {
  /** Rejects `sealed-object-invalid` (with violations), `sealed-object-exists`. */
  create(
    given: {
      readonly kind: SealedKind;
      readonly name: string;
      readonly description?: string | undefined;
    } & GivenContent,
    by: Caller,
  ): Promise<SealedObject>;
  /**
   * A new version; without content only the description changes. Rejects `sealed-object-invalid`,
   * `sealed-object-not-found`, `revision-stale` when somebody else was faster.
   */
  put(
    object: SealedObject,
    given: { readonly description?: string | undefined } & GivenContent,
    by: Caller,
  ): Promise<SealedObject>;
  /** Rejects `sealed-object-used`, naming the services. */
  remove(object: SealedObject, by: Caller): Promise<void>;
  find(kind: SealedKind, id: string): Promise<SealedObject | undefined>;
  all(kind?: SealedKind): Promise<readonly SealedObject[]>;
  /**
   * Rejects `sealed-version-not-found`, `sealing-key-missing`, `seal-broken`.
   */
  content(id: string, version: number): Promise<Sensitive<Uint8Array>>;
  /**
   * The documents of microservices with what their `secrets` and `configs` stand for, and every reference that stands
   * for nothing. `path`: of the microservice in the SLA.
   */
  resolve(
    services: readonly { readonly path: string; readonly document: ServiceDocument }[],
    scope: { readonly ownerUserId: string; readonly organisationId: string | undefined },
  ): Promise<{ readonly documents: readonly ServiceDocument[]; readonly violations: readonly Violation[] }>;
  /** The document for an instance that is deployed now: each reference says its version. */
  pinned(service: { readonly document: ServiceDocument; readonly ownerUserId: string }): ServiceDocument;
  /** The newest version of what is referred to; undefined: there is no such object (any more). */
  newestVersion(reference: Pick<SealedReference, 'id'>): number | undefined;
  /** A keyed hash: compares bodies that hold secrets, and cannot be turned back by guessing. */
  fingerprint(text: string): string;
}
