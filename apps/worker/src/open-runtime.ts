import { join } from 'node:path';
import type { Runtime } from '@oakestra/runtimes';
import {
  createContainerdConnection,
  createContainerdRuntime,
  createSnapshotterChoice,
} from '@oakestra/runtimes/containerd';
import { createImagePuller, type ImagePuller } from '@oakestra/runtimes/pull';
import type { WorkerContext } from './context.ts';
import { readRegistries } from './registries.ts';

export interface OpenedRuntime {
  readonly runtime: Runtime;
  readonly images: ImagePuller;
  close(): Promise<void>;
}

/** The container runtime of this worker with its images. */
export async function openRuntime(
  context: Pick<WorkerContext, 'settings' | 'clock' | 'random' | 'logger' | 'imagePullProgram'>,
): Promise<OpenedRuntime> {
  const { settings, clock, random, logger } = context;
  const connection = createContainerdConnection({
    socketPath: settings.containerdSocket,
    namespace: settings.containerdNamespace,
  });
  const snapshotter = createSnapshotterChoice(connection, logger);
  const images = createImagePuller({
    childProgram: context.imagePullProgram,
    connection,
    snapshotter,
    registries: await readRegistries(settings.registries),
    logger,
    clock,
    random,
  });
  const runtime = createContainerdRuntime({
    connection,
    snapshotter,
    prepareImage: images.prepareImage,
    clock,
    logger,
    stateDirectory: join(settings.stateDirectory, 'runtime'),
    cgroupParent: settings.cgroupParent,
    onStep: (step, durationMs) => logger.debug('runtime step ended', { step, durationMs }),
  });
  return {
    runtime,
    images,
    async close() {
      await images.close();
      await runtime.close();
    },
  };
}
