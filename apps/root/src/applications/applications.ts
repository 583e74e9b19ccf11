import type { JsonObject, ServiceDocument } from '@oakestra/contracts';
import type { RolloutSettings } from '../deployments/index.ts';

/** A service as it was registered. */
export interface SubmittedService {
  readonly id: string;
  readonly document: ServiceDocument;
}

export interface ApplicationView {
  readonly id: string;
  readonly ownerUserId: string;
  /** Where it was created; undefined: nobody knows. */
  readonly organisationId: string | undefined;
  readonly name: string;
  readonly namespace: string;
  readonly description: string;
  /** All submitted fields, unknown ones too, without services. */
  readonly document: JsonObject;
  /** In the order of their submission. */
  readonly serviceIds: readonly string[];
  /** No two applications share one. */
  readonly createdAtMs: number;
}

/**
 * Applications and the intake of SLAs. Each promise resolves after everything is on disk; a rejected submission
 * leaves nothing behind, also when the process ends in the middle of it.
 */
export interface Applications {
  /**
   * Creates every application of the SLA with its services, or nothing. Resolves to the new ones. Rejects
   * `sla-invalid` (all violations), `application-exists`, `service-exists`, each with violations.
   */
  submit(submission: Submission): Promise<readonly ApplicationView[]>;
  /**
   * Adds the services of `applications[0]` to the owner's application that its `applicationID` names, all or
   * none. Rejects as `submit`, and `application-not-found`.
   */
  addServices(submission: Submission): Promise<readonly SubmittedService[]>;
  /**
   * Changes a service into the one microservice of `sla`, step by step (`Deployments.updateService`). Its name,
   * namespace and addresses have to stay. Rejects `sla-invalid`, `service-not-found`.
   */
  updateService(id: string, sla: unknown, settings?: Partial<RolloutSettings>): Promise<void>;
  /** Removes all instances, then the service. Rejects `service-not-found`. */
  removeService(id: string): Promise<void>;
  application(id: string): Promise<ApplicationView | undefined>;
  /** In which the application was created, also while it is being submitted or removed. */
  organisationOf(id: string): Promise<string | undefined>;
  /** Oldest first. */
  all(): Promise<readonly ApplicationView[]>;
  ownedBy(userId: string): Promise<readonly ApplicationView[]>;
  /**
   * Changes what is given and leaves the rest; a name only as long as there are no services, whose names contain it.
   * Rejects `application-not-found`, `application-invalid`, `application-named` (conflict), `application-exists`.
   */
  update(id: string, changes: ApplicationChanges): Promise<ApplicationView>;
  /** Removes all services, then the application. Rejects `application-not-found`. */
  remove(id: string): Promise<void>;
  /**
   * A cluster runs a service that this root does not know, because the root lost its store: makes sure that there
   * is an application for it, as often as it is called. An owner who is unknown too is replaced by the
   * administrator. What a crash leaves without an application gets one at the next start.
   */
  adoptFromBelow(service: {
    document: ServiceDocument;
    ownerUserId: string;
  }): Promise<{ readonly ownerUserId: string }>;
}

/** Unchecked, as they came from the request. */
export interface ApplicationChanges {
  readonly name?: unknown;
  readonly namespace?: unknown;
  readonly description?: unknown;
}

interface Submission {
  /** As it was parsed from the request; nothing about it is taken for granted. */
  readonly sla: unknown;
  readonly ownerUserId: string;
  /** The one that the owner was in. */
  readonly organisationId?: string | undefined;
}
