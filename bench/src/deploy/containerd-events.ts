import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { TestContainerd } from '@oakestra/testbed';

export interface ContainerdEvent {
  readonly topic: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** By `performance.now()`. */
  readonly atMs: number;
}

/** What containerd says happens in one of its namespaces, as it happens. */
export interface ContainerdEvents {
  /** Resolves with the first event of the topic that comes from now on. */
  next(topic: string, timeoutMs: number): Promise<ContainerdEvent>;
  /** The last event of the topic that came so far. */
  latest(topic: string): ContainerdEvent | undefined;
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
  const listeners = new Set<(event: ContainerdEvent) => void>();
  const latest = new Map<string, ContainerdEvent>();
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = parseEvent(line, performance.now());
      if (event === undefined) return;
      latest.set(event.topic, event);
      for (const listener of [...listeners]) listener(event);
    });
  }
  return {
    next(topic, timeoutMs) {
      return new Promise((resolve, reject) => {
        const forget = (): void => {
          clearTimeout(timer);
          listeners.delete(listener);
        };
        const timer = setTimeout(() => {
          forget();
          reject(new Error(`containerd did not tell of ${topic} within ${timeoutMs} ms`));
        }, timeoutMs);
        const listener = (event: ContainerdEvent): void => {
          if (event.topic !== topic) return;
          forget();
          resolve(event);
        };
        listeners.add(listener);
      });
    },
    latest: (topic) => latest.get(topic),
    stop: () => void child.kill(),
  };
}

/** `<date> <time> <zone> <zone> <namespace> <topic> <fields as JSON>` */
export function parseEvent(line: string, atMs: number): ContainerdEvent | undefined {
  const [, topic, text] = / (\/[a-z-]+\/[a-z-]+) (\{.*\})$/.exec(line) ?? [];
  if (topic === undefined || text === undefined) return undefined;
  return { topic, fields: JSON.parse(text) as ContainerdEvent['fields'], atMs };
}
