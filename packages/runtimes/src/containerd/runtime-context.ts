import type { Clock, Logger } from '@oakestra/daemon';
import type { InstanceLabels } from '../runtime.ts';
import type { CgroupMounts } from './cgroup-stats.ts';
import { type RecordedInstance, readRecord } from './container-record.ts';
import { type ContainerdConnection, isContainerdNotFound } from './containerd-connection.ts';
import { ContainersDefinition } from './gen/containerd/containers.gen.ts';
import type { InstanceMemory } from './instance-memory.ts';
import type { CgroupFeatures, ProcessLimits } from './oci-spec.ts';
import type { PrepareImage } from './prepared-image.ts';
import type { ChooseSnapshotter } from './snapshotter.ts';
import type { StartMarkers } from './start-markers.ts';
import type { TaskCalls } from './task-calls.ts';

/** What a call about instances spent its time on. */
export type OnStep = (step: RuntimeStep, durationMs: number) => void;

export type RuntimeStep =
  | 'user'
  | 'container'
  | 'snapshot'
  | 'task-create'
  | 'task-start'
  | 'task-delete'
  | 'cleanup';

export interface HostCgroups {
  readonly mounts: CgroupMounts;
  readonly features: CgroupFeatures;
}

/** What the parts of the containerd runtime share. */
export interface RuntimeContext {
  readonly connection: ContainerdConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tasks: TaskCalls;
  readonly memory: InstanceMemory;
  readonly markers: StartMarkers;
  readonly snapshotter: ChooseSnapshotter;
  readonly prepareImage: PrepareImage;
  readonly limits: ProcessLimits;
  /** Read at first use, then kept. */
  cgroups(): Promise<HostCgroups>;
  cgroupPathOf(containerId: string): string;
  /** Runs `work` and reports how long it took. */
  step<Result>(name: RuntimeStep, work: () => Promise<Result>): Promise<Result>;
}

/** The record of a container; `undefined` when there is none. */
export async function findRecord(
  { connection }: RuntimeContext,
  containerId: string,
): Promise<RecordedInstance | undefined> {
  try {
    const { container } = await connection.unary(ContainersDefinition, 'get', { id: containerId });
    return container === undefined ? undefined : readRecord(container);
  } catch (error) {
    if (isContainerdNotFound(error)) return undefined;
    throw error;
  }
}

/** Replaces the labels of a container as a whole. */
export async function writeLabels(
  { connection }: RuntimeContext,
  containerId: string,
  labels: InstanceLabels,
): Promise<void> {
  const container = {
    id: containerId,
    labels: { ...labels },
    image: '',
    runtime: undefined,
    spec: undefined,
    snapshotter: '',
    snapshotKey: '',
    createdAt: undefined,
  };
  await connection.unary(ContainersDefinition, 'update', { container, updateMask: ['labels'] });
}
