import { createHash } from 'node:crypto';
import type { InstanceLabels, InstanceSpec } from '../runtime.ts';
import { labelTooLarge } from '../runtime-errors.ts';
import { containerIdOf, snapshotKeyOf } from './container-id.ts';
import type { Container } from './gen/containerd/containers.gen.ts';
import type { OciSpec } from './oci-types.ts';
import type { PreparedImage } from './prepared-image.ts';

/** Labels that are ours, not the caller's: what a later process needs to control the instance. */
const prefix = 'oakestra.runtime/';
const names = {
  instance: `${prefix}instance`,
  fingerprint: `${prefix}fingerprint`,
  stopSignal: `${prefix}stop-signal`,
  logPath: `${prefix}log`,
  parent: `${prefix}parent-snapshot`,
  command: `${prefix}command`,
  memoryMib: `${prefix}memory-mib`,
} as const;

const specTypeUrl = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';
const ociRuntime = 'io.containerd.runc.v2';
const largestLabelBytes = 4_096;

/** What a container's record says about the instance. */
export interface RecordedInstance {
  readonly id: string;
  readonly containerId: string;
  readonly labels: InstanceLabels;
  readonly stopSignal: string;
  readonly logPath: string;
  readonly image: string;
  readonly command: string;
  readonly memoryMib: number;
  readonly snapshotter: string;
  readonly snapshotKey: string;
  readonly parentSnapshot: string;
  /** Equal for equal specifications; labels and credentials do not count. */
  readonly fingerprint: string;
}

/** What this instance will be recorded as. */
export function recordOf(spec: InstanceSpec, image: PreparedImage, snapshotter: string): RecordedInstance {
  const containerId = containerIdOf(spec.id);
  return {
    id: spec.id,
    containerId,
    labels: spec.labels,
    stopSignal: image.stopSignal,
    logPath: spec.logPath,
    image: image.pinnedReference,
    command: spec.command[0] ?? image.config.config?.Entrypoint?.[0] ?? image.config.config?.Cmd?.[0] ?? '',
    memoryMib: spec.memoryMib,
    snapshotter,
    snapshotKey: snapshotKeyOf(containerId),
    parentSnapshot: image.chainId,
    fingerprint: fingerprintOf(spec, image),
  };
}

function fingerprintOf(spec: InstanceSpec, image: PreparedImage): string {
  const { labels: _labels, image: _image, ...rest } = spec;
  const text = JSON.stringify([image.digest, Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** All labels of the container: the caller's, and ours. */
export function containerLabels(record: RecordedInstance): Record<string, string> {
  const labels = {
    ...record.labels,
    [names.instance]: record.id,
    [names.fingerprint]: record.fingerprint,
    [names.stopSignal]: record.stopSignal,
    [names.logPath]: record.logPath,
    [names.parent]: record.parentSnapshot,
    [names.command]: record.command.slice(0, 1_024),
    [names.memoryMib]: String(record.memoryMib),
  };
  for (const [name, value] of Object.entries(labels)) {
    if (Buffer.byteLength(name) + Buffer.byteLength(value) > largestLabelBytes) {
      throw labelTooLarge(record.id, name, largestLabelBytes);
    }
  }
  return labels;
}

/** The message that creates the container. */
export function containerMessage(record: RecordedInstance, spec: OciSpec): Container {
  return {
    id: record.containerId,
    labels: containerLabels(record),
    image: record.image,
    runtime: { name: ociRuntime, options: undefined },
    spec: { typeUrl: specTypeUrl, value: Buffer.from(JSON.stringify(spec)) },
    snapshotter: record.snapshotter,
    snapshotKey: record.snapshotKey,
    createdAt: undefined,
  };
}

/** Reads a container back; also one that somebody else put into our namespace. */
export function readRecord(container: Container): RecordedInstance {
  const own = container.labels;
  const labels = Object.entries(own).filter(
    ([name]) => !name.startsWith(prefix) && !name.startsWith('containerd.io/'),
  );
  return {
    id: own[names.instance] ?? container.id,
    containerId: container.id,
    labels: Object.fromEntries(labels),
    stopSignal: own[names.stopSignal] ?? 'SIGTERM',
    logPath: own[names.logPath] ?? '',
    image: container.image,
    command: own[names.command] ?? '',
    memoryMib: Number(own[names.memoryMib] ?? 0),
    snapshotter: container.snapshotter,
    snapshotKey: container.snapshotKey,
    parentSnapshot: own[names.parent] ?? '',
    fingerprint: own[names.fingerprint] ?? '',
  };
}
