import type { SealedReference, ServiceDocument, StatusWord } from '@oakestra/contracts';
import type { PlacementNote, Rejection } from '@oakestra/ownership';
import type { RolloutOutcome, RolloutSettings } from './rollout.ts';

/** Where an instance was put, or why not. */
export interface PlacementView extends Omit<PlacementNote, 'rejections'> {
  /** By a cluster about its workers, or by us about the clusters. */
  readonly memberKind: 'cluster' | 'worker';
  readonly rejections: readonly Rejection[];
}

/** What the root knows about one instance, in our own terms; the faces turn it into their shapes. */
export interface InstanceView {
  readonly serviceId: string;
  readonly number: number;
  readonly clusterId: string | undefined;
  readonly status: StatusWord;
  readonly statusDetail: string;
  /** The last decision about its place; undefined: none yet. */
  readonly placement: PlacementView | undefined;
  /** Of the service, when it was asked for. */
  readonly revision: number;
  readonly workerId: string | undefined;
  readonly workerAddress: string | undefined;
  readonly workerPort: number | undefined;
  /** Percent of the whole machine, 0 to 100. */
  readonly cpuPercent: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly diskBytes: number | undefined;
  /** Tail of the output. */
  readonly logs: string;
  /** The versions of secrets and configs that it was deployed with. */
  readonly sealedReferences: readonly SealedReference[];
  /** Deployed now, it would get a newer version of one of them. */
  readonly hasNewerVersions: boolean;
  /** Unix milliseconds of the last change that the cluster reported. */
  readonly modifiedAtMs: number | undefined;
}

export interface ServiceView {
  readonly id: string;
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
  readonly nextInstanceNumber: number;
  /** Absent before the first deployment. */
  readonly status: StatusWord | undefined;
  readonly statusDetail: string;
  readonly instances: readonly InstanceView[];
  /** Counts its versions, from 1. */
  readonly revision: number;
  /** Present while its instances are replaced by ones of `revision`. */
  readonly rollout: RolloutView | undefined;
  /** How the last change ended, as far as one is known. */
  /** What a change that is under way may go back to. */
  readonly previousDocument: ServiceDocument | undefined;
  readonly lastOutcome: RolloutOutcome | undefined;
}

/** A change of a service that is under way. */
export interface RolloutView {
  /** The change failed, and this is the way back. */
  readonly isRollback: boolean;
  readonly desired: number;
  /** Instances of the new revision that run, and those of others that are still there. */
  readonly updated: number;
  readonly outdated: number;
  /** Unix milliseconds. */
  readonly startedAtMs: number;
}

/** Something that happened, for those who watch. It is on disk when it is told. */
export interface DeploymentEvent {
  readonly kind:
    | 'service-created'
    | 'service-changed'
    | 'service-removed'
    | 'instance-changed'
    | 'instance-placed'
    | 'instance-replacing'
    | 'instance-removed';
  readonly serviceId: string;
  readonly ownerUserId: string;
  readonly number?: number;
  readonly clusterId?: string;
  readonly status?: StatusWord;
  readonly detail: string;
}

/**
 * Services and their instances: the one place that decides about them. Each promise resolves after the
 * intent is on disk; the rest happens by itself. Rejections are `OakestraError`s (`service-not-found`,
 * `service-exists`, `instance-not-found`).
 */
export interface Deployments {
  registerService(service: { id: string; ownerUserId: string; document: ServiceDocument }): Promise<void>;
  /** Removes all instances, then the service. */
  removeService(serviceId: string): Promise<void>;
  /**
   * Replaces the instances step by step by ones of another document, and goes back when those do not become healthy.
   * Resolves when the change is stored; `ServiceView.rollout` shows how far it came.
   */
  updateService(serviceId: string, document: ServiceDocument, settings: RolloutSettings): Promise<void>;
  service(serviceId: string): ServiceView | undefined;
  serviceByJobName(jobName: string): ServiceView | undefined;
  services(): readonly ServiceView[];
  /** Asks for one more instance; its number is taken at once. */
  requestInstance(serviceId: string): Promise<{ readonly number: number }>;
  /** The same on this cluster, as somebody else decided; undefined: it does not fit there, nothing was done. */
  requestInstanceAt(serviceId: string, clusterId: string): Promise<{ readonly number: number } | undefined>;
  removeInstance(serviceId: string, number: number): Promise<void>;
  removeAllInstances(serviceId: string): Promise<void>;
  /** How many instances are wanted: missing ones are asked for, those that are too many removed, all at once. */
  setReplicas(serviceId: string, count: number): Promise<void>;
}
