import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@oakestra/daemon';
import type { Runtime } from '../../runtime.ts';
import { createContainerdConnection } from '../containerd-connection.ts';
import { type ContainerdRuntimeOptions, createContainerdRuntime } from '../containerd-runtime.ts';
import type { OciImageConfig } from '../prepared-image.ts';
import { createSnapshotterChoice } from '../snapshotter.ts';
import { type PrivateContainerd, startPrivateContainerd } from './private-containerd.ts';
import { quietLogger } from './quiet-logger.ts';
import { buildTestImage, type TestImage } from './test-image.ts';

/** A private containerd with one image, and runtimes over it. */
export interface ContainerdHost {
  readonly containerd: PrivateContainerd;
  readonly image: TestImage;
  openRuntime(changes?: Partial<ContainerdRuntimeOptions>): Runtime;
  logPathOf(id: string): string;
  readLog(path: string): Promise<string>;
}

export async function startContainerdHost(
  config: NonNullable<OciImageConfig['config']> = {},
): Promise<ContainerdHost> {
  const containerd = await startPrivateContainerd();
  try {
    const image = await buildTestImage('docker.io/library/tiny:1', config);
    await containerd.importImage(image);
    return {
      containerd,
      image,
      openRuntime(changes) {
        const connection = createContainerdConnection(containerd);
        return createContainerdRuntime({
          connection,
          snapshotter: createSnapshotterChoice(connection, quietLogger),
          prepareImage: async () => image.prepared,
          clock: systemClock(),
          logger: quietLogger,
          stateDirectory: join(containerd.directory, 'started'),
          cgroupParent: containerd.cgroupParent,
          ...changes,
        });
      },
      logPathOf: (id) => join(containerd.directory, 'logs', id),
      readLog: (path) => readFile(path, 'utf8'),
    };
  } catch (error) {
    await containerd.dispose();
    throw error;
  }
}
