import { OakestraError } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import type { ContainerdConnection } from './containerd-connection.ts';
import { IntrospectionDefinition, type Plugin } from './gen/containerd/introspection.gen.ts';

/** Best first. `native` copies every layer: slow and large, but works on any file system. */
const preferred = ['overlayfs', 'native'] as const;

export type SnapshotterName = (typeof preferred)[number];

/** Tells which snapshotter holds images and writable layers; asks containerd once. */
export type ChooseSnapshotter = () => Promise<SnapshotterName>;

/** The first of ours that started in this containerd. */
export function pickSnapshotter(plugins: readonly Plugin[]): SnapshotterName | undefined {
  return preferred.find((name) =>
    plugins.some((plugin) => plugin.id === name && plugin.initErr === undefined),
  );
}

export function createSnapshotterChoice(connection: ContainerdConnection, logger: Logger): ChooseSnapshotter {
  let chosen: Promise<SnapshotterName> | undefined;
  const choose = async (): Promise<SnapshotterName> => {
    const { plugins } = await connection.unary(IntrospectionDefinition, 'plugins', {
      filters: ['type==io.containerd.snapshotter.v1'],
    });
    const name = pickSnapshotter(plugins);
    if (name === undefined) {
      const message = `containerd on ${connection.socketPath} offers neither of the snapshotters ${preferred.join(', ')}. Enable one in its configuration.`;
      throw new OakestraError('unsupported', 'snapshotter-missing', message);
    }
    if (name !== 'overlayfs') {
      const reason = plugins.find((plugin) => plugin.id === 'overlayfs')?.initErr?.message ?? 'not built in';
      logger.warn('containerd cannot use overlayfs, images are copied instead', {
        snapshotter: name,
        reason,
      });
    }
    return name;
  };
  return async () => {
    chosen ??= choose();
    try {
      return await chosen;
    } catch (error) {
      chosen = undefined;
      throw error;
    }
  };
}
