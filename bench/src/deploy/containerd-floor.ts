import { runCommand } from '@oakestra/testbed';
import type { System } from '../system/index.ts';

/** The least that a container costs on this machine: `ctr run -d` of the same image by the same containerd. */
export interface ContainerdFloor {
  /** Milliseconds until `ctr` has started the container and ended. */
  run(): Promise<number>;
  /** Milliseconds until so many run, of which `AT_A_TIME` are started side by side, as the worker does it. */
  runMany(count: number): Promise<number>;
}

const AT_A_TIME = 4;

/** A namespace of its own, so that the worker does not hear of these containers. */
const NAMESPACE = 'bench-floor';

export async function openContainerdFloor({ containerd, image }: System): Promise<ContainerdFloor> {
  const ctr = (args: readonly string[]) =>
    runCommand('ctr', ['--address', containerd.address, '--namespace', NAMESPACE, ...args], {
      timeoutMs: 60_000,
    });
  await ctr(['images', 'pull', '--plain-http', image.reference]);
  let count = 0;
  const start = async (): Promise<string> => {
    count += 1;
    const id = `floor-${count}`;
    await ctr(['run', '--detach', image.reference, id]);
    return id;
  };
  const remove = async (id: string): Promise<void> => {
    await ctr(['tasks', 'kill', '--signal', 'SIGKILL', id]);
    await ctr(['tasks', 'delete', '--force', id]).catch(() => undefined);
    await ctr(['containers', 'delete', id]);
  };
  return {
    async run() {
      const startedMs = performance.now();
      const id = await start();
      const tookMs = performance.now() - startedMs;
      await remove(id);
      return tookMs;
    },
    async runMany(many) {
      const startedMs = performance.now();
      const ids: string[] = [];
      let left = many;
      const startSome = async (): Promise<void> => {
        for (; left > 0; ) {
          left -= 1;
          ids.push(await start());
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, startSome));
      const tookMs = performance.now() - startedMs;
      for (const id of ids) await remove(id);
      return tookMs;
    },
  };
}
