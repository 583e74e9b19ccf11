import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OakestraError } from '@oakestra/contracts';
import { createIp, listNamespaces, readCgroupLayout, removeCgroup } from '@oakestra/host';
import {
  buildStaticWebImage,
  freePorts,
  type ManagedProcess,
  openTestbed,
  type PushedImage,
  type TestContainerd,
} from '@oakestra/testbed';
import { type Api, openApi } from './api.ts';

export interface SystemOptions {
  /** Where the worker finds the cluster, when that is a relay in between; default: the cluster itself. */
  readonly relay?: (target: RelayTarget) => Promise<{ readonly address: string; close(): Promise<void> }>;
}

/** The cluster, as something that stands before it must know it. */
export interface RelayTarget {
  readonly address: string;
  readonly apiPort: number;
  readonly mqttPort: number;
  /** Folders of `ca.pem`, `cert.pem` and `key.pem`. */
  readonly clusterTls: string;
  readonly workerTls: string;
}

/** A whole installation: root and cluster in one process, a worker in another, containerd and registry beside them. */
export interface System {
  readonly api: Api;
  readonly image: PushedImage;
  readonly containerd: TestContainerd;
  /** Namespace of containerd with everything of the worker. */
  readonly containerdNamespace: string;
  /** Where an instance's network namespace lies. */
  readonly namespacePrefix: string;
  controlPlane(): ManagedProcess;
  worker(): ManagedProcess;
  /** Stops both daemons in order and starts them again with this log level. */
  restart(logLevel: 'info' | 'debug'): Promise<void>;
  /** A program on this machine that ends with the system. */
  start(name: string, command: string, args: readonly string[]): Promise<ManagedProcess>;
  close(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('../../../dist/oakestra.cjs', import.meta.url));
const START_TIMEOUT_MS = 30_000;
const CONTAINERD_NAMESPACE = 'oakestra-bench';

/** Starts everything with the image in its registry. On failure, and by `close()`, all of it is taken away again. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  if (!existsSync(PROGRAM)) {
    throw new OakestraError(
      'not-found',
      'not-built',
      'There is nothing to measure yet: run "npm run build" first',
    );
  }
  const testbed = await openTestbed();
  try {
    return await startParts(testbed, options);
  } catch (error) {
    const logs = await testbed.logs();
    await testbed.close();
    process.stderr.write(`${logs}\n`);
    throw error;
  }
}

async function startParts(
  testbed: Awaited<ReturnType<typeof openTestbed>>,
  options: SystemOptions,
): Promise<System> {
  const owner = basename(testbed.directory).split('-').slice(1, 3).join('-');
  // Swept by the next run, should this one be killed.
  const namespacePrefix = `otb${owner}w`;
  const cgroupParent = `/otb-${owner}`;
  testbed.defer('networks of instances', async () => {
    const names = await listNamespaces(namespacePrefix);
    await createIp().batch(
      names.map((name) => `netns del ${name}`),
      { isTolerant: true },
    );
  });
  testbed.defer('cgroups', async () => {
    const layout = await readCgroupLayout();
    if (layout !== undefined) await removeCgroup(layout, cgroupParent);
  });

  const containerd = await testbed.containerd();
  const registry = await testbed.registry();
  const layout = await buildStaticWebImage(join(testbed.directory, 'images'));
  const image = await registry.push(layout, 'bench/static-web');

  const [rootApiPort, rootClusterPort, clusterApiPort, mqttPort] = (await freePorts(4)) as [
    number,
    number,
    number,
    number,
  ];
  const state = join(testbed.directory, 'state');
  const workerState = join(testbed.directory, 'worker');
  const adminPassword = 'benchmark-password';
  const start = (name: string, args: readonly string[], env = {}): Promise<ManagedProcess> =>
    testbed.process({ name, command: process.execPath, args: [PROGRAM, ...args], env });
  const startControlPlane = async (logLevel: string): Promise<ManagedProcess> => {
    const flags = {
      tiers: 'root,cluster',
      'state-directory': state,
      listen: '127.0.0.1',
      'root-api-port': rootApiPort,
      'root-cluster-port': rootClusterPort,
      'cluster-api-port': clusterApiPort,
      'cluster-mqtt-port': mqttPort,
      'worker-name': 'bench',
      'log-level': logLevel,
      'log-format': 'json',
    };
    const env = { OAKESTRA_ROOT_ADMIN_PASSWORD: adminPassword };
    const started = await start('control-plane', ['up', ...flagsOf(flags)], env);
    await started.waitForLine(/all tiers have started/, { timeoutMs: START_TIMEOUT_MS });
    return started;
  };
  const workerTls = join(state, 'worker', 'tls');
  const startWorker = async (logLevel: string, clusterAddress: string): Promise<ManagedProcess> => {
    await mkdir(workerState, { recursive: true });
    const flags = {
      name: 'bench',
      'cluster-address': clusterAddress,
      'cluster-api-port': clusterApiPort,
      'state-directory': workerState,
      'tls-directory': workerTls,
      'containerd-socket': containerd.address,
      'containerd-namespace': CONTAINERD_NAMESPACE,
      'cgroup-parent': cgroupParent,
      'network-prefix': namespacePrefix,
      'log-level': logLevel,
      'log-format': 'json',
    };
    const started = await start('worker', ['worker', ...flagsOf(flags)]);
    await started.waitForLine(/connected to the cluster/, { timeoutMs: START_TIMEOUT_MS });
    return started;
  };

  let controlPlane = await startControlPlane('info');
  const target: RelayTarget = {
    address: '127.0.0.1',
    apiPort: clusterApiPort,
    mqttPort,
    clusterTls: join(state, 'cluster', 'tls'),
    workerTls,
  };
  const relay = await options.relay?.(target);
  if (relay !== undefined) testbed.defer('relay', () => relay.close());
  const clusterAddress = relay?.address ?? target.address;
  let worker = await startWorker('info', clusterAddress);
  const api = await openApi({ port: rootApiPort, password: adminPassword });
  testbed.defer('connections to the API', () => api.close());
  await untilPlaceable(controlPlane);

  return {
    api,
    image,
    containerd,
    containerdNamespace: CONTAINERD_NAMESPACE,
    namespacePrefix,
    controlPlane: () => controlPlane,
    worker: () => worker,
    async restart(logLevel) {
      await worker.stop();
      await controlPlane.stop();
      controlPlane = await startControlPlane(logLevel);
      worker = await startWorker(logLevel, clusterAddress);
      await untilPlaceable(controlPlane);
    },
    start: (name, command, args) => testbed.process({ name, command, args }),
    close: () => testbed.close(),
  };
}

/** The worker is known to the cluster, and soon after that to the root. */
async function untilPlaceable(controlPlane: ManagedProcess): Promise<void> {
  await controlPlane.waitForLine(/worker connected/, { timeoutMs: START_TIMEOUT_MS });
}

function flagsOf(flags: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
