import type { JsonObject, ServiceDocument } from '../documents.ts';
import { classicStatus } from './status.ts';

/** The way ids of applications, services, users and organisations are written (root-api 2.2). */
export interface WireId {
  readonly $oid: string;
}

export const wireId = (id: string): WireId => ({ $oid: id });

export interface ClassicApplication {
  readonly id: string;
  /** All submitted fields, unknown ones too, without `microservices`. */
  readonly document: JsonObject;
  readonly name: string;
  readonly namespace: string;
  readonly description: string;
  readonly serviceIds: readonly string[];
  /** Name of the user, not the id. */
  readonly ownerName: string;
}

/** An application as the compatible interface shows it (root-api 4.4). */
export function applicationToWire(application: ClassicApplication): JsonObject {
  const ours = {
    _id: wireId(application.id),
    applicationID: application.id,
    application_name: application.name,
    application_namespace: application.namespace,
    application_desc: application.description,
    microservices: application.serviceIds,
    userId: application.ownerName,
  };
  return around(ours, application.document);
}

/** `ours` in front, the rest of the document behind it; where both have a field, ours counts. */
function around(ours: JsonObject, document: JsonObject): JsonObject {
  // Several times quicker than spreading, which long lists notice.
  return Object.assign({}, ours, document, ours);
}

export interface ClassicHistoryEntry {
  readonly value: string | null;
  /** Unix milliseconds. */
  readonly atMs: number;
}

export interface ClassicInstance {
  readonly number: number;
  readonly clusterId: string | undefined;
  readonly clusterLocation: string | undefined;
  readonly status: string;
  readonly statusDetail: string;
  readonly workerId: string | undefined;
  readonly workerAddress: string | undefined;
  readonly workerPort: number | undefined;
  /** Percent of the whole machine, 0 to 100. */
  readonly cpuPercent: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly diskBytes: number | undefined;
  readonly logs: string;
  readonly modifiedAtMs: number | undefined;
  readonly cpuHistory?: readonly ClassicHistoryEntry[];
  readonly memoryHistory?: readonly ClassicHistoryEntry[];
}

const LONGEST_HISTORY = 100;

/**
 * An instance as the compatible interface shows it (root-api 6.3, Q33, Q34): every field is present, integers and
 * texts are where strictly typed clients expect them, and `memory_percent` is bytes in spite of its name.
 */
export function instanceToWire(instance: ClassicInstance): JsonObject {
  return {
    instance_number: instance.number,
    cluster_id: instance.clusterId ?? '',
    cluster_location: instance.clusterLocation || 'location-unknown',
    status: classicStatus(instance.status),
    status_detail: instance.statusDetail,
    publicip: instance.workerAddress ?? '--',
    worker_id: instance.workerId ?? null,
    host_ip: instance.workerAddress ?? null,
    host_port: instance.workerPort === undefined ? null : Math.trunc(instance.workerPort),
    cpu_percent: decimalText(instance.cpuPercent),
    memory_percent: decimalText(instance.memoryBytes),
    disk: instance.diskBytes === undefined ? null : String(Math.trunc(instance.diskBytes)),
    logs: instance.logs,
    last_modified_timestamp: instance.modifiedAtMs === undefined ? null : instance.modifiedAtMs / 1000,
    cpu_history: historyToWire(instance.cpuHistory),
    memory_history: historyToWire(instance.memoryHistory),
  };
}

/** Six decimals, as the original's workers write figures. */
function decimalText(figure: number | undefined): string | null {
  return figure === undefined || !Number.isFinite(figure) ? null : figure.toFixed(6);
}

function historyToWire(history: readonly ClassicHistoryEntry[] = []): JsonObject[] {
  return history
    .slice(-LONGEST_HISTORY)
    .map(({ value, atMs }) => ({ value, timestamp: isoWithoutZone(atMs) }));
}

/** Six fractional digits and no zone. The original writes local time; its containers run on UTC. */
function isoWithoutZone(atMs: number): string {
  return new Date(atMs).toISOString().replace('Z', '000');
}

export interface ClassicService {
  readonly id: string;
  readonly document: ServiceDocument;
  readonly nextInstanceNumber: number;
  /** Absent before the first deployment. */
  readonly status: string | undefined;
  readonly statusDetail: string;
  readonly instances: readonly ClassicInstance[];
}

/** A service as the compatible interface shows it (root-api 4.5, 6.3). */
export function serviceToWire(service: ClassicService): JsonObject {
  const { document } = service;
  const ours = {
    _id: wireId(service.id),
    microserviceID: service.id,
    applicationID: document.applicationID,
    job_name: document.job_name,
  };
  return {
    ...around(ours, document),
    ...(service.status === undefined
      ? {}
      : { status: classicStatus(service.status), status_detail: service.statusDetail }),
    next_instance_progressive_number: service.nextInstanceNumber,
    instance_list: service.instances.map(instanceToWire),
  };
}
