import { runCommand } from '@oakestra/testbed';
import type { System } from '../system/index.ts';

/** The least that a container costs on this machine: `ctr run -d` of the same image by the same containerd. */
export interface ContainerdFloor {
  /** Milliseconds until `ctr` has started the container and ended. */
  run(): Promise<number>;
}

/** A namespace of its own, so that the worker does not hear of these containers. */
const NAMESPACE = 'bench-floor';

export async function openContainerdFloor({ containerd, image }: System): Promise<ContainerdFloor> {
  const ctr = (args: readonly string[]) =>
    runCommand('ctr', ['--address', containerd.address, '--namespace', NAMESPACE, ...args], {
      timeoutMs: 60_000,
    });
  await ctr(['images', 'pull', '--plain-http', image.reference]);
  let count = 0;
  return {
    async run() {
      count += 1;
      const id = `floor-${count}`;
      const startedMs = performance.now();
      await ctr(['run', '--detach', image.reference, id]);
      const tookMs = performance.now() - startedMs;
      await ctr(['tasks', 'kill', '--signal', 'SIGKILL', id]);
      await ctr(['tasks', 'delete', '--force', id]).catch(() => undefined);
      await ctr(['containers', 'delete', id]);
      return tookMs;
    },
  };
}
