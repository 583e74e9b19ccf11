import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  eventually,
  openTestAuthority,
  openTestbed,
  type TestAuthority,
  type Testbed,
  type TestHost,
  type TestNetwork,
} from '@oakestra/testbed';
import { ensureBuild, runOakestra } from '../program.ts';
import {
  type ApiClient,
  type ApplicationDocument,
  createApiClient,
  type InstanceDocument,
} from './api-client.ts';
import {
  removeCgroups,
  removeNamespaces,
  removeRuncFolder,
  removeValues,
  sweepInstances,
} from './clean-up.ts';
import { type LoopbackRegistry, startLoopbackRegistry } from './loopback-registry.ts';
import { instanceIdOf, type ServiceWish, slaOf } from './sla.ts';
import { createTierProcess, type TierProcess } from './tier-process.ts';
import { createWorkerNode, type RunningTask, type WorkerNode } from './worker-node.ts';

export interface InstallationOptions {
  /** Default 1. */
  readonly workers?: number;
  /**
   * Roots beside the first, which all have the identity of the first one, made by `export-identity`. They need a
   * database (`env`). Default 0.
   */
  readonly furtherRoots?: number;
  /** Further flags, environment variables and state directories, by name of the process: `root`, `root2`, `cluster`, `worker1`. */
  readonly flags?: Readonly<Record<string, readonly string[]>>;
  readonly env?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly stateDirectories?: Readonly<Record<string, string>>;
  /** The setting `registries` of the workers, made when the network is there. */
  readonly registries?: (parts: {
    readonly testbed: Testbed;
    readonly network: TestNetwork;
  }) => Promise<Readonly<Record<string, Readonly<Record<string, unknown>>>>>;
  /** The testbed to build it in; default: a new one, which `close()` closes. */
  readonly testbed?: Testbed;
}

/** A service with one deployed instance. */
export interface Deployed {
  readonly serviceId: string;
  readonly applicationId: string;
  /** Id of the instance's container. */
  readonly instanceId: string;
  readonly number: number;
}

/** A running container. */
export interface Placed {
  readonly node: WorkerNode;
  readonly task: RunningTask;
}

/**
 * One installation of real processes: root, cluster and each worker are machines of their own (`host1`, `host2`, …),
 * so default ports do, and wires can be cut; the last host is a client that runs nothing.
 */
export interface Installation {
  readonly testbed: Testbed;
  readonly network: TestNetwork;
  readonly authority: TestAuthority;
  readonly registry: LoopbackRegistry;
  readonly root: TierProcess;
  readonly furtherRoots: readonly TierProcess[];
  readonly cluster: TierProcess;
  readonly workers: readonly WorkerNode[];
  /** The first worker. */
  readonly worker: WorkerNode;
  readonly client: TestHost;
  readonly api: ApiClient;
  /** A client of one of the roots. */
  apiOf(root: TierProcess): ApiClient;
  readonly tiers: Readonly<Record<'root' | 'cluster' | 'worker', TierProcess>>;
  readonly imageCache: string;
  /** Starts whatever does not run. */
  startAll(): Promise<void>;
  /** Submits the service. */
  submit(wish: ServiceWish): Promise<ApplicationDocument>;
  /** The first instance of a submitted service. */
  deployed(application: ApplicationDocument): Deployed;
  /** Submits the service and asks for one instance. */
  deploy(wish: ServiceWish): Promise<Deployed>;
  /** The same, and waits until it runs. */
  run(wish: ServiceWish): Promise<Deployed>;
  instance(deployed: Pick<Deployed, 'serviceId' | 'number'>): Promise<InstanceDocument | undefined>;
  untilInstance(
    deployed: Pick<Deployed, 'serviceId' | 'number' | 'instanceId'>,
    what: string,
    isReached: (instance: InstanceDocument) => boolean,
    timeoutMs?: number,
  ): Promise<InstanceDocument>;
  untilStatus(deployed: Deployed, status: string, timeoutMs?: number): Promise<InstanceDocument>;
  /** Removes the application with its service and waits until no worker has anything of it. */
  remove(deployed: Deployed): Promise<void>;
  untilGone(instanceId: string): Promise<void>;
  /** Where an instance really runs, whatever the root says. */
  running(instanceId: string): Promise<readonly Placed[]>;
  /** Waits until an instance is RUNNING at the root and exactly one container of it runs. */
  untilExactlyOne(deployed: Deployed, timeoutMs?: number): Promise<Placed>;
  /** Removes all applications but these, and waits until no worker has anything of the others. */
  removeEverything(options?: { readonly but?: readonly Deployed[] }): Promise<void>;
  /** Waits until no worker has anything of any instance. */
  untilNothingIsLeft(): Promise<void>;
  /** Waits until a deployment is possible: the cluster is linked and all workers take part. */
  untilConnected(): Promise<void>;
  close(): Promise<void>;
}

const ROOT_API_PORT = 10000;
const ROOT_CLUSTER_PORT = 50052;
/** Generous: the machine may be busy. What is waited for usually takes a small part of it. */
const LONG_MS = 60_000;

export async function openInstallation(options: InstallationOptions = {}): Promise<Installation> {
  await ensureBuild();
  const testbed = options.testbed ?? (await openTestbed());
  try {
    await sweepInstances();
    return await build(testbed, options);
  } catch (error) {
    console.error(await testbed.logs());
    if (options.testbed === undefined) await testbed.close();
    throw error;
  }
}

async function build(testbed: Testbed, options: InstallationOptions): Promise<Installation> {
  const workerCount = options.workers ?? 1;
  const furtherCount = options.furtherRoots ?? 0;
  const network = await testbed.network({ hosts: 3 + workerCount + furtherCount });
  const [rootHost, clusterHost, ...others] = network.hosts;
  const furtherHosts = others.splice(0, furtherCount);
  const client = others.pop();
  if (rootHost === undefined || clusterHost === undefined || client === undefined)
    throw new Error('no hosts');
  const rootState = options.stateDirectories?.root ?? join(testbed.directory, 'root');
  // The root takes over an authority that lies there already.
  await mkdir(rootState, { recursive: true, mode: 0o700 });
  const authority = await openTestAuthority({ directory: rootState });

  const registries = await options.registries?.({ testbed, network });
  const workerConfig = join(testbed.directory, 'worker.yaml');
  // JSON is YAML.
  await writeFile(workerConfig, JSON.stringify({ registries: registries ?? {} }), { mode: 0o600 });

  const processOf = async (name: string, host: TestHost, flags: readonly string[]): Promise<TierProcess> => {
    const role = /^[a-z]+/.exec(name)?.[0] as 'root' | 'cluster' | 'worker';
    const identity =
      role === 'root' ? [] : ['--tls-directory', dirname((await authority.issue({ role, name })).caFile)];
    return createTierProcess({
      testbed,
      host,
      role,
      name,
      stateDirectory:
        name === 'root' ? rootState : (options.stateDirectories?.[name] ?? join(testbed.directory, name)),
      flags: [...identity, ...flags, ...(options.flags?.[name] ?? [])],
      env: options.env?.[name] ?? {},
    });
  };

  const clusterPorts = [rootHost, ...furtherHosts].map(({ address }) => `${address}:${ROOT_CLUSTER_PORT}`);
  const [registry, root, furtherRoots, cluster, workers] = await Promise.all([
    startLoopbackRegistry(testbed, others),
    processOf('root', rootHost, []),
    Promise.all(furtherHosts.map((host, index) => processOf(`root${index + 2}`, host, []))),
    processOf('cluster', clusterHost, [...['--name', 'cluster', '--root', clusterPorts.join(',')]]),
    Promise.all(
      others.map(async (host, index) => {
        const name = `worker${index + 1}`;
        // Owner and number are in the namespace of the host, so no two runs share these.
        const unique = host.namespace;
        const groupName = `oakestra-${unique}`;
        testbed.defer(`cgroup ${groupName}`, () => removeCgroups(groupName));
        testbed.defer(`runc's folder for ${groupName}`, () => removeRuncFolder(groupName));
        const networkPrefix = `oak-${unique}`;
        testbed.defer(`network namespaces ${networkPrefix}`, () => removeNamespaces(networkPrefix));
        testbed.defer(`files of secrets ${networkPrefix}`, () => removeValues(networkPrefix));
        // Taken away before the groups and networks that its containers live in.
        const containerd = await testbed.containerd({ name: `c${index + 1}`, host });
        const process = await processOf(name, host, [
          ...['--name', name, '--cluster-address', clusterHost.address],
          ...['--containerd-socket', containerd.address, '--cgroup-parent', `/${groupName}`],
          // Containers with the same id on two workers share folders of runc, unless their namespaces differ.
          ...['--network-prefix', networkPrefix, '--containerd-namespace', groupName],
          ...['--config', workerConfig],
        ]);
        return createWorkerNode({ name, host, process, containerd, groupName, networkPrefix });
      }),
    ),
  ]);
  const [worker] = workers;
  if (worker === undefined) throw new Error('an installation has at least one worker');

  const apiOf: Installation['apiOf'] = ({ host }) =>
    createApiClient({
      host: host.address,
      port: ROOT_API_PORT,
      caPem: authority.caPem,
      password: async () => (await readFile(join(rootState, 'admin-password'), 'utf8')).trim(),
    });
  const api = apiOf(root);

  const instance: Installation['instance'] = async ({ serviceId, number }) =>
    (await api.service(serviceId)).instance_list.find((one) => one.instance_number === number);

  const untilInstance: Installation['untilInstance'] = (deployed, what, isReached, timeoutMs = LONG_MS) =>
    eventually(
      async () => {
        const found = await instance(deployed);
        if (found !== undefined && isReached(found)) return found;
        throw new Error(
          `it is ${found === undefined ? 'absent' : `${found.status} (${found.status_detail})`}`,
        );
      },
      { timeoutMs, describe: `${deployed.instanceId} to be ${what}` },
    );

  const untilGone: Installation['untilGone'] = async (instanceId) => {
    for (const node of workers) await node.untilNothingOf(instanceId);
  };

  const running: Installation['running'] = async (instanceId) => {
    const lists = await Promise.all(
      workers.map(async (node) => (await node.runningTasks()).map((task) => ({ node, task }))),
    );
    return lists.flat().filter(({ task }) => task.id === instanceId);
  };

  const untilExactlyOne: Installation['untilExactlyOne'] = (deployed, timeoutMs = LONG_MS) =>
    eventually(
      async () => {
        const { status, status_detail: detail } = (await instance(deployed)) ?? {};
        const placed = await running(deployed.instanceId);
        const [only] = placed;
        if (status === 'RUNNING' && only !== undefined && placed.length === 1) return only;
        throw new Error(
          `it is ${status} (${detail}), and runs on ${placed.map(({ node }) => node.name).join(' and ') || 'none'}`,
        );
      },
      { timeoutMs, describe: `exactly one ${deployed.instanceId} to run` },
    );

  const submit: Installation['submit'] = async (wish) => {
    const applications = await api.submit(slaOf(wish));
    const application = applications.find((one) => one.application_name === wish.name);
    if (application === undefined) throw new Error(`${wish.name} was not taken in`);
    return application;
  };

  const deployedOf: Installation['deployed'] = (application) => {
    const { applicationID: applicationId, application_name: name, microservices } = application;
    const [serviceId] = microservices;
    if (serviceId === undefined) throw new Error(`${name} has no service`);
    return { serviceId, applicationId, number: 0, instanceId: instanceIdOf(name, 0) };
  };

  const deploy: Installation['deploy'] = async (wish) => {
    const deployed = deployedOf(await submit(wish));
    await api.deploy(deployed.serviceId);
    return deployed;
  };

  const untilNothingIsLeft = async (): Promise<void> => {
    for (const node of workers) {
      await eventually(
        async () => {
          const left = await node.traces();
          if (left.length > 0) throw new Error(left.join('\n'));
          return true;
        },
        { timeoutMs: LONG_MS, describe: `nothing to be left on ${node.name}` },
      );
    }
  };

  const tiers = { root, cluster, worker: worker.process };
  const processes = [root, ...furtherRoots, cluster, ...workers.map((node) => node.process)];
  const startAll = async (): Promise<void> => {
    await Promise.all(processes.filter((one) => !one.isRunning()).map((one) => one.start()));
  };

  const untilConnected = async (): Promise<void> => {
    await eventually(
      async () => {
        const clusters = await api.call<{ active: boolean; active_nodes: number }[]>('GET', '/api/clusters');
        const [only] = clusters;
        if (only?.active === true && only.active_nodes === workerCount) return true;
        throw new Error(JSON.stringify(clusters));
      },
      { timeoutMs: LONG_MS, describe: `the cluster with ${workerCount} workers to be there` },
    );
  };

  if (furtherRoots.length > 0) {
    await root.start();
    const archive = join(testbed.directory, 'root-identity');
    await runOakestra(['root', 'export-identity', archive, '--state-directory', rootState]);
    for (const { stateDirectory } of furtherRoots) {
      await runOakestra(['root', 'import-identity', archive, '--state-directory', stateDirectory]);
    }
  }
  await startAll();
  await untilConnected();
  return {
    testbed,
    network,
    authority,
    registry,
    root,
    furtherRoots,
    cluster,
    workers,
    worker,
    client,
    api,
    apiOf,
    tiers,
    imageCache: join(testbed.directory, 'image-cache'),
    startAll,
    submit,
    deployed: deployedOf,
    deploy,
    async run(wish) {
      const deployed = await deploy(wish);
      await untilInstance(deployed, 'RUNNING', ({ status }) => status === 'RUNNING');
      return deployed;
    },
    instance,
    untilInstance,
    untilStatus: (deployed, status, timeoutMs) =>
      untilInstance(deployed, status, (found) => found.status === status, timeoutMs),
    async remove({ applicationId, instanceId }) {
      await api.call('DELETE', `/api/application/${applicationId}`);
      await untilGone(instanceId);
    },
    untilGone,
    running,
    untilExactlyOne,
    async removeEverything({ but = [] } = {}) {
      const kept = new Set(but.map(({ applicationId }) => applicationId));
      for (const { applicationID, application_name: name } of await api.applications()) {
        if (kept.has(applicationID)) continue;
        await api.call('DELETE', `/api/application/${applicationID}`);
        await untilGone(instanceIdOf(name, 0));
      }
      if (kept.size === 0) await untilNothingIsLeft();
    },
    untilNothingIsLeft,
    untilConnected,
    close: () => (options.testbed === undefined ? testbed.close() : Promise.resolve()),
  };
}
