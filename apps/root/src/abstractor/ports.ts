import type { JsonObject } from '@oakestra/contracts';

/*
 * What the face needs from whoever keeps the documents. Documents are as on the wire of root-api 11: `_id` is plain
 * text. A port that cannot do something rejects with the kind `unsupported`, which becomes 501.
 */

export interface CandidateRecord {
  readonly document: JsonObject & { readonly _id: string };
  /** Something was heard of it within the last 30 s (root-api 4.6). */
  readonly isActive: boolean;
}

/** Candidates are clusters at the root, workers at a cluster. */
export interface ResourcesPort {
  all(): Promise<readonly CandidateRecord[]>;
  find(id: string): Promise<CandidateRecord | undefined>;
  insert(fields: JsonObject): Promise<CandidateRecord>;
  /** By `candidate_name`. */
  upsert(name: string, fields: JsonObject): Promise<CandidateRecord>;
  /** A report: merged as `withReport` says. Undefined: unknown. */
  report(id: string, fields: JsonObject): Promise<CandidateRecord | undefined>;
  /** Nothing happens when it is unknown. */
  remove(id: string): Promise<void>;
}

export type StoredDocument = JsonObject & { readonly _id: string };

export interface ApplicationsPort {
  /** Oldest first. */
  all(): Promise<readonly StoredDocument[]>;
  find(id: string): Promise<StoredDocument | undefined>;
  insert(fields: JsonObject): Promise<StoredDocument>;
  /** The document after the change; undefined: unknown. */
  merge(id: string, fields: JsonObject): Promise<StoredDocument | undefined>;
  /** The document that was removed; undefined: unknown. */
  remove(id: string): Promise<StoredDocument | undefined>;
}

export interface JobsPort extends ApplicationsPort {
  /** By `job_name`; `id` is for a new one. */
  upsert(jobName: string, fields: JsonObject, id: string | undefined): Promise<StoredDocument>;
  /** Appends; the face has seen that there is none of this number. */
  addInstance(id: string, number: number, instance: JsonObject): Promise<StoredDocument | undefined>;
  /** A report of an instance: merged as `withInstanceReport` says. The job before and after; undefined: unknown. */
  reportInstance(
    id: string,
    number: number,
    fields: JsonObject,
  ): Promise<{ readonly before: StoredDocument } | undefined>;
  /** The job after it, also when there was no such instance; undefined: unknown job. */
  removeInstance(id: string, number: number): Promise<StoredDocument | undefined>;
}

export interface AbstractorPorts {
  readonly resources: ResourcesPort;
  readonly applications: ApplicationsPort;
  readonly jobs: JobsPort;
}
