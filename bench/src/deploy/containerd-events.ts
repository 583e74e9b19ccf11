import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { TestContainerd } from '@oakestra/testbed';

/** What containerd says happens in one of its namespaces, as it happens. */
export interface ContainerdEvents {
  /** Resolves with the time (of `performance.now()`) at which the last of the topics arrived. */
  next(topics: readonly string[], timeoutMs: number): Promise<number>;
  stop(): void;
}

/** One `ctr events` for the whole benchmark: listening costs nothing that the measured parts would feel. */
export async function watchContainerd(
  containerd: Pick<TestContainerd, 'address'>,
  namespace: string,
): Promise<ContainerdEvents> {
  const child: ChildProcess = spawn(
    'ctr',
    ['--address', containerd.address, '--namespace', namespace, 'events'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const listeners = new Set<(topic: string, atMs: number) => void>();
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const atMs = performance.now();
      const topic = / (\/[a-z-]+\/[a-z-]+) /.exec(line)?.[1];
      if (topic !== undefined) for (const listener of [...listeners]) listener(topic, atMs);
    });
  }
  return {
    next(topics, timeoutMs) {
      return new Promise((resolve, reject) => {
        const missing = new Set(topics);
        const timer = setTimeout(() => {
          listeners.delete(listener);
          reject(new Error(`containerd did not tell of ${[...missing].join(', ')} within ${timeoutMs} ms`));
        }, timeoutMs);
        const listener = (topic: string, atMs: number): void => {
          missing.delete(topic);
          if (missing.size > 0) return;
          clearTimeout(timer);
          listeners.delete(listener);
          resolve(atMs);
        };
        listeners.add(listener);
      });
    },
    stop: () => void child.kill(),
  };
}
