import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Image, InstanceSpec } from '../runtime.ts';
import { imageNotPrepared, instanceExists, instanceNotFound } from '../runtime-errors.ts';
import { containerMessage, type RecordedInstance, recordOf } from './container-record.ts';
import { isContainerdExists, isContainerdNotFound } from './containerd-connection.ts';
import { type Container, ContainersDefinition } from './gen/containerd/containers.gen.ts';
import { SnapshotsDefinition } from './gen/containerd/snapshots.gen.ts';
import { Status } from './gen/containerd/task-types.gen.ts';
import type { Mount } from './gen/containerd/types.gen.ts';
import type { RememberedInstance } from './instance-memory.ts';
import { ociSpec } from './oci-spec.ts';
import type { PreparedImage } from './prepared-image.ts';
import { findRecord, type RuntimeContext } from './runtime-context.ts';
import { startFailure } from './start-failure.ts';
import type { LookUpUser } from './user-lookup.ts';

export interface InstanceStart {
  create(spec: InstanceSpec, image: Image): Promise<void>;
  start(id: string): Promise<{ readonly pid: number }>;
}

export interface InstanceStartOptions {
  readonly lookUpUser: LookUpUser;
  /** Removes what is left of an instance that does not run. */
  readonly removeLeftover: (id: string) => Promise<void>;
}

/**
 * The way from a specification to a running process. The container's record is written first: it names the
 * snapshot, which containerd therefore never collects, and makes whatever a crash leaves behind visible to
 * `list()`. No lease is needed, and none can be left over.
 */
export function createInstanceStart(
  context: RuntimeContext,
  { lookUpUser, removeLeftover }: InstanceStartOptions,
): InstanceStart {
  const { connection, memory, tasks, markers, step } = context;

  const create = async (spec: InstanceSpec, image: Image): Promise<void> => {
    const prepared = await preparedImage(context, spec, image);
    const snapshotter = await context.snapshotter();
    const user = await step('user', () => lookUpUser(prepared, snapshotter));
    const { features } = await context.cgroups();
    const record = recordOf(spec, prepared, snapshotter);
    const message = containerMessage(
      record,
      ociSpec({
        spec,
        imageConfig: prepared.config,
        user,
        cgroupPath: context.cgroupPathOf(record.containerId),
        cgroups: features,
        limits: context.limits,
      }),
    );
    const [found] = await Promise.all([
      step('container', () => addContainer(message, record)),
      prepareLog(spec.logPath),
    ]);
    if (found === 'complete') return;
    const entry = remember(record);
    const rootfs = await step('snapshot', () => prepareRootfs(record, found === 'added'));
    if (await hostPathsExist(spec)) await createTask(entry, record, rootfs);
  };

  const remember = (record: RecordedInstance): RememberedInstance =>
    Object.assign(memory.of(record.id), { record });

  /** `complete`: the same instance is already here with its task. */
  const addContainer = async (
    container: Container,
    record: RecordedInstance,
  ): Promise<'added' | 'unfinished' | 'complete'> => {
    for (let mayReplace = true; ; mayReplace = false) {
      try {
        await connection.unary(ContainersDefinition, 'create', { container });
        return 'added';
      } catch (error) {
        if (!isContainerdExists(error) || !mayReplace) throw error;
      }
      const existing = await findRecord(context, record.containerId);
      const process = await tasks.get(record.containerId);
      if (existing?.fingerprint === record.fingerprint) {
        const hasTask = process !== undefined || (await markers.isMarked(record.containerId));
        return hasTask ? 'complete' : 'unfinished';
      }
      if (process !== undefined && isAlive(process.status)) throw instanceExists(record.id);
      await removeLeftover(record.id);
    }
  };

  /** The writable layer. One that is there although its container is new belonged to somebody before. */
  const prepareRootfs = async (record: RecordedInstance, isNew: boolean): Promise<readonly Mount[]> => {
    const { snapshotter, snapshotKey: key } = record;
    const prepare = async () =>
      (
        await connection.unary(SnapshotsDefinition, 'prepare', {
          snapshotter,
          key,
          parent: record.parentSnapshot,
          labels: {},
        })
      ).mounts;
    try {
      return await prepare();
    } catch (error) {
      if (isContainerdNotFound(error)) throw imageNotPrepared(record.image, error);
      if (!isContainerdExists(error)) throw startFailure(error, record);
      if (!isNew) return (await connection.unary(SnapshotsDefinition, 'mounts', { snapshotter, key })).mounts;
    }
    await connection.unary(SnapshotsDefinition, 'remove', { snapshotter, key });
    return await prepare();
  };

  const createTask = async (
    entry: RememberedInstance,
    record: RecordedInstance,
    rootfs: readonly Mount[],
  ): Promise<void> => {
    try {
      entry.pid = await step('task-create', () => tasks.create(record.containerId, rootfs, record.logPath));
    } catch (error) {
      // Created by a call whose answer got lost.
      if (!isContainerdExists(error)) throw startFailure(error, record);
      const process = await tasks.get(record.containerId);
      if (process !== undefined) entry.pid = process.pid;
    }
  };

  /** Makes sure that there is a task; answers its process when it already ran. */
  const ensureTask = async (id: string): Promise<{ readonly pid: number } | undefined> => {
    const entry = memory.of(id);
    const process = await tasks.get(entry.containerId);
    const hasRun = await markers.isMarked(entry.containerId);
    if (process !== undefined) {
      entry.pid = process.pid;
      if (process.status !== Status.CREATED && (hasRun || isAlive(process.status))) {
        entry.hasStarted = true;
        return { pid: process.pid };
      }
      if (process.status === Status.CREATED) return undefined;
      // It ended before it ran: killed while it waited for its start.
      await tasks.remove(entry.containerId, { hasEnded: true });
    } else if (hasRun) {
      return { pid: 0 };
    }
    const record = await findRecord(context, entry.containerId);
    if (record === undefined) {
      memory.forget(id);
      throw instanceNotFound(id);
    }
    const rootfs = await step('snapshot', () => prepareRootfs(record, false));
    await prepareLog(record.logPath);
    await createTask(remember(record), record, rootfs);
    return undefined;
  };

  const startTask = async (entry: RememberedInstance): Promise<{ readonly pid: number }> => {
    await markers.mark(entry.containerId);
    try {
      const pid = await step('task-start', () => tasks.start(entry.containerId));
      entry.pid = pid;
      entry.hasStarted = true;
      return { pid };
    } catch (error) {
      const process = await tasks.get(entry.containerId);
      if (process !== undefined && isAlive(process.status)) {
        entry.hasStarted = true;
        return { pid: process.pid };
      }
      await markers.clear(entry.containerId);
      throw error;
    }
  };

  return {
    create,
    async start(id) {
      const known = memory.find(id);
      if (known?.pid !== undefined) {
        if (known.hasStarted) return { pid: known.pid };
        try {
          return await startTask(known);
        } catch (error) {
          if (!isContainerdNotFound(error)) throw await explained(known, error);
          delete known.pid;
        }
      }
      const ran = await ensureTask(id);
      if (ran !== undefined) return ran;
      const entry = memory.of(id);
      try {
        return await startTask(entry);
      } catch (error) {
        throw await explained(entry, error);
      }
    },
  };

  async function explained(entry: RememberedInstance, error: unknown): Promise<unknown> {
    const record = await findRecord(context, entry.containerId).catch(() => undefined);
    return record === undefined ? error : startFailure(error, record);
  }
}

function isAlive(status: Status): boolean {
  return status === Status.RUNNING || status === Status.PAUSED || status === Status.PAUSING;
}

/** A caller that kept only the plain description gets the rest from the image itself, which is on this host. */
async function preparedImage(
  context: RuntimeContext,
  spec: InstanceSpec,
  image: Image,
): Promise<PreparedImage> {
  if (isPrepared(image)) return image;
  const request = { ...spec.image, reference: image.pinnedReference };
  return context.prepareImage(request, { signal: AbortSignal.timeout(60_000) });
}

function isPrepared(image: Image): image is PreparedImage {
  return 'config' in image && 'chainId' in image;
}

/** Made by us, so that others on the host may not read it; the shim only appends. */
async function prepareLog(logPath: string): Promise<void> {
  await mkdir(dirname(logPath), { recursive: true, mode: 0o750 });
  await (await open(logPath, 'a', 0o640)).close();
}

async function hostPathsExist(spec: InstanceSpec): Promise<boolean> {
  const paths = [spec.networkNamespacePath, spec.hostsPath, spec.resolvConfPath];
  const exist = paths.map(async (path) =>
    path === undefined
      ? true
      : stat(path).then(
          () => true,
          () => false,
        ),
  );
  return !(await Promise.all(exist)).includes(false);
}
