import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '@oakestra/testbed';
import type { System } from '../system/index.ts';

const TIMEOUT_MS = 120_000;
const LOOK_EVERY_MS = 100;

export interface BurstResult {
  /** From the first POST until all run. */
  readonly seconds: number;
  /** From the DELETE of all until containerd holds none of them any more. */
  readonly undeploySeconds: number;
}

/** Asks for many instances at once, waits until all run, and removes them. */
export async function runBurst(system: System, serviceId: string, count: number): Promise<BurstResult> {
  const { api } = system;
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: count }, () => api.deploy(serviceId)));
  for (;;) {
    const instances = await api.instances(serviceId);
    const running = instances.filter(({ status }) => status === 'RUNNING').length;
    if (running === count) break;
    if (performance.now() - startedMs > TIMEOUT_MS) {
      const details = [...new Set(instances.map(({ status, detail }) => `${status} ${detail}`))].join('; ');
      throw new Error(`only ${running} of ${count} instances ran within ${TIMEOUT_MS} ms: ${details}`);
    }
    await delay(LOOK_EVERY_MS);
  }
  const seconds = (performance.now() - startedMs) / 1000;

  const removedMs = performance.now();
  await api.undeployAll(serviceId);
  await untilNothingIsLeft(system);
  return { seconds, undeploySeconds: (performance.now() - removedMs) / 1000 };
}

/** Containers, tasks, writable snapshots, leases: none of the worker's may be there. */
export async function untilNothingIsLeft({ containerd, containerdNamespace }: System): Promise<void> {
  await eventually(
    async () => {
      const left = await containerd.leftovers();
      const ours = [...left.containers, ...left.tasks, ...left.snapshots, ...left.leases].filter((name) =>
        name.startsWith(`${containerdNamespace}/`),
      );
      if (ours.length > 0) throw new Error(`${ours.length} are left, ${ours[0]} among them`);
      return true;
    },
    { timeoutMs: TIMEOUT_MS, describe: 'containerd to hold nothing of the worker', intervalMs: 100 },
  );
}
