import {
  documentSchema,
  type Epoch,
  parseInstanceKey,
  type ServiceDocument,
  taskId,
} from '@oakestra/contracts';
import { type PortMapping, parsePortMappings } from '@oakestra/netplan';
import type { InstanceExit, InstanceLabels, InstanceSpec } from '@oakestra/runtimes';
import type { InstanceEntry } from '../journal/index.ts';
import type { GivenValues } from '../values/index.ts';

const LABEL = {
  key: 'oakestra.key',
  epoch: 'oakestra.epoch',
  owner: 'oakestra.owner',
  document: 'oakestra.document',
};
/** containerd takes at most 4,096 bytes for name and value of a label. */
const LABEL_BYTES = 3800;

export interface SpecPaths {
  readonly logPath: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
  readonly networkNamespacePath: string;
}

/** Id of the instance at the runtime (cluster-protocol 2.1). */
export function runtimeIdOf(entry: InstanceEntry): string {
  return taskId(entry.document.job_name, parseInstanceKey(entry.key).number);
}

/** `given`: what its document only refers to. */
export function specOf(entry: InstanceEntry, paths: SpecPaths, given: GivenValues): InstanceSpec {
  const { document } = entry;
  const hostname = hostnameOf(parseInstanceKey(entry.key).number);
  return {
    id: runtimeIdOf(entry),
    image: imageOf(entry),
    command: texts(document.cmd),
    environment: [`HOSTNAME=${hostname}`, ...texts(document.environment), ...given.environment],
    memoryMib: amount(document.memory),
    cpuMillis: amount(document.vcpus) * 1000,
    hostname,
    networkNamespacePath: paths.networkNamespacePath,
    resolvConfPath: paths.resolvConfPath,
    hostsPath: paths.hostsPath,
    ...(given.files.length === 0 ? {} : { files: given.files }),
    logPath: paths.logPath,
    labels: labelsOf(entry),
  };
}

/** Host name of an instance inside of its container. */
export function hostnameOf(number: number): string {
  return `instance-${number}`;
}

export function imageOf(entry: InstanceEntry): InstanceSpec['image'] {
  const { platform } = entry.document;
  return {
    reference: entry.pinnedImage ?? entry.document.image,
    ...(typeof platform === 'string' && platform !== '' ? { platform } : {}),
  };
}

export function portsOf(document: ServiceDocument): readonly PortMapping[] {
  return typeof document.port === 'string' ? parsePortMappings(document.port) : [];
}

/** Everything that is needed to adopt the instance, should the journal be lost. */
export function labelsOf(entry: InstanceEntry): InstanceLabels {
  const labels: Record<string, string> = {
    [LABEL.key]: entry.key,
    [LABEL.epoch]: `${entry.epoch.root}.${entry.epoch.cluster}`,
    [LABEL.owner]: entry.ownerUserId,
  };
  // Base64 keeps the pieces valid text wherever they are cut.
  const text = Buffer.from(JSON.stringify(entry.document)).toString('base64');
  for (let piece = 0; piece * LABEL_BYTES < text.length; piece += 1) {
    labels[`${LABEL.document}.${piece}`] = text.slice(piece * LABEL_BYTES, (piece + 1) * LABEL_BYTES);
  }
  return labels;
}

export interface LabelledInstance {
  readonly key: string;
  readonly epoch: Epoch;
  readonly ownerUserId: string;
  /** Undefined when pieces of it are missing or damaged. */
  readonly document: ServiceDocument | undefined;
}

/** Undefined for containers that are not ours. */
export function readLabels(labels: InstanceLabels): LabelledInstance | undefined {
  const key = labels[LABEL.key];
  const match = /^(\d+)\.(\d+)$/.exec(labels[LABEL.epoch] ?? '');
  if (key === undefined || match === null) return undefined;
  return {
    key,
    epoch: { root: Number(match[1]), cluster: Number(match[2]) },
    ownerUserId: labels[LABEL.owner] ?? '',
    document: readDocument(labels),
  };
}

function readDocument(labels: InstanceLabels): ServiceDocument | undefined {
  let text = '';
  for (let piece = 0; ; piece += 1) {
    const part = labels[`${LABEL.document}.${piece}`];
    if (part === undefined) break;
    text += part;
  }
  try {
    const document: unknown = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    return documentSchema.safeParse(document).success ? (document as ServiceDocument) : undefined;
  } catch {
    return undefined;
  }
}

/** For people: why it ended. */
export function describeExit(exit: InstanceExit, document: ServiceDocument): string {
  if (exit.isOutOfMemory) {
    const memory = amount(document.memory);
    const limit = memory > 0 ? `its limit is ${memory} MiB (field memory)` : 'the machine ran out of memory';
    return `Out of memory: killed by the kernel; ${limit}`;
  }
  if (exit.signal !== undefined) return `Ended by signal ${exit.signal} (exit code ${exit.code})`;
  return `Ended with exit code ${exit.code}`;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}
