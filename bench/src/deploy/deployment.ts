import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { namespaceNameOf, namespacePath } from '@oakestra/host';
import type { Api, System } from '../system/index.ts';
import type { ContainerdEvents } from './containerd-events.ts';

const TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 1;
/** What containerd tells when an instance goes. Of snapshots that its own collection removes it tells nothing. */
const GONE = ['/tasks/delete', '/containers/delete'];
/** Below the folder of a containerd of the testbed. */
const SNAPSHOTS = 'containerd-root/io.containerd.snapshotter.v1.overlayfs/snapshots';

/** A service of which one instance at a time is deployed and undeployed, and how long both take. */
export interface Deployment {
  /** Milliseconds from POST until a user sees RUNNING. */
  deploy(): Promise<number>;
  /** Milliseconds from DELETE until container, task, snapshot and network namespace are gone. */
  undeploy(): Promise<number>;
  /** Unix milliseconds of the last POST, and of the answer in which RUNNING was seen. */
  lastSpan(): { readonly fromMs: number; readonly toMs: number };
}

export function createDeployment(options: {
  readonly system: System;
  readonly serviceId: string;
  readonly jobName: string;
  readonly events: ContainerdEvents;
}): Deployment {
  const { serviceId, jobName, events } = options;
  const { api, containerd, namespacePrefix } = options.system;
  const snapshotFolder = join(dirname(containerd.address), SNAPSHOTS);
  /** They are numbered: the writable one of an instance comes after those of its image, should that be new. */
  const newestSnapshot = (): string => {
    const numbers = readdirSync(snapshotFolder).map(Number);
    return join(snapshotFolder, String(Math.max(...numbers)));
  };
  let instance: number | undefined;
  let expectedMs = 0;
  let span = { fromMs: 0, toMs: 0 };

  return {
    async deploy() {
      const fromMs = Date.now();
      const startedMs = performance.now();
      await api.deploy(serviceId);
      // Looking costs the root time that the deployment needs: nobody looks before the answer can be there.
      await delay(expectedMs * 0.7 - (performance.now() - startedMs));
      instance = await untilRunning(api, serviceId);
      const tookMs = performance.now() - startedMs;
      span = { fromMs, toMs: Date.now() };
      expectedMs = expectedMs === 0 ? tookMs : Math.min(expectedMs * 1.1, tookMs);
      return tookMs;
    },

    async undeploy() {
      if (instance === undefined) throw new Error('nothing is deployed');
      const paths = [
        namespacePath(namespaceNameOf(namespacePrefix, `${jobName}.instance.${instance}`)),
        newestSnapshot(),
      ];
      if (!paths.every((path) => existsSync(path))) {
        throw new Error(`namespace and snapshot were to be there before: ${paths.join(', ')}`);
      }
      const gone = events.next(GONE, TIMEOUT_MS);
      const startedMs = performance.now();
      await api.undeploy(serviceId, instance);
      const goneAtMs = await Promise.all([gone, ...paths.map(untilGone)]);
      instance = undefined;
      return Math.max(...goneAtMs) - startedMs;
    },

    lastSpan: () => span,
  };
}

async function untilRunning(api: Api, serviceId: string): Promise<number> {
  const untilMs = performance.now() + TIMEOUT_MS;
  let last = '';
  while (performance.now() < untilMs) {
    const [seen] = await api.instances(serviceId);
    if (seen?.status === 'RUNNING') return seen.number;
    last = seen === undefined ? 'no instance' : `${seen.status} ${seen.detail}`;
    await delay(LOOK_EVERY_MS);
  }
  throw new Error(`the instance did not run within ${TIMEOUT_MS} ms; last seen: ${last}`);
}

async function untilGone(path: string): Promise<number> {
  const untilMs = performance.now() + TIMEOUT_MS;
  while (existsSync(path)) {
    if (performance.now() > untilMs) throw new Error(`${path} was not removed within ${TIMEOUT_MS} ms`);
    await delay(LOOK_EVERY_MS);
  }
  return performance.now();
}
