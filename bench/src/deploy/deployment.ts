import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { namespaceNameOf, namespacePath } from '@oakestra/host';
import type { Api, System } from '../system/index.ts';
import type { ContainerdEvents } from './containerd-events.ts';
import type { SnapshotProbe } from './snapshot-probe.ts';

const TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 1;

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
  readonly probe: SnapshotProbe;
}): Deployment {
  const { serviceId, jobName, events, probe } = options;
  const { api, namespacePrefix } = options.system;
  let snapshotKey = '';
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
      // An image that had to be unpacked prepared others before.
      snapshotKey = String(events.latest('/snapshot/prepare')?.fields.key);
      expectedMs = expectedMs === 0 ? tookMs : Math.min(expectedMs * 1.1, tookMs);
      return tookMs;
    },

    async undeploy() {
      if (instance === undefined) throw new Error('nothing is deployed');
      const path = namespacePath(namespaceNameOf(namespacePrefix, `${jobName}.instance.${instance}`));
      if (!existsSync(path)) throw new Error(`${path} was to be there before the instance is undeployed`);
      if (!(await probe.exists(snapshotKey))) throw new Error(`the snapshot ${snapshotKey} was to be there`);
      const taskGone = events.next('/tasks/delete', TIMEOUT_MS);
      const containerGone = events.next('/containers/delete', TIMEOUT_MS);
      const startedMs = performance.now();
      await api.undeploy(serviceId, instance);
      // Before its task is gone it cannot go, and asking would only cost containerd time.
      await taskGone;
      await until(`the snapshot ${snapshotKey} to go`, async () => !(await probe.exists(snapshotKey)));
      const snapshotGoneMs = performance.now();
      await until(`${path} to go`, () => !existsSync(path));
      const namespaceGoneMs = performance.now();
      instance = undefined;
      return Math.max((await containerGone).atMs, snapshotGoneMs, namespaceGoneMs) - startedMs;
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

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + TIMEOUT_MS;
  while (!(await check())) {
    if (performance.now() > untilMs) throw new Error(`waited ${TIMEOUT_MS} ms for ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
