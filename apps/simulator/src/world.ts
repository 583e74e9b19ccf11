import { type InstanceKey, instanceKey, parseInstanceKey, type ServiceDocument } from '@oakestra/contracts';
import type { Availability, InstanceRecord } from '@oakestra/ownership';
import type { RootCore } from '@oakestra/root';
import { createGlobalUsers } from './global-users.ts';
import { createOracle, type Intent, type Oracle } from './judge/oracle.ts';
import { createWatch, type Watch } from './judge/watch.ts';
import { type ClusterNode, createClusterNode } from './nodes/cluster-node.ts';
import { CONTAINER_FAULTS, type ContainerFaults } from './nodes/containers.ts';
import { type Parts, PRODUCT } from './nodes/parts.ts';
import { createRootNode, type NodeOptions, type RootNode } from './nodes/root-node.ts';
import { createWorkerNode, type WorkerNode } from './nodes/worker-node.ts';
import { ALL_POLICIES, jobNameOf, randomFit, serviceOf } from './services.ts';
import { createTraffic, type Traffic } from './traffic.ts';
import { createVirtualLink, type LinkFaults, type VirtualLink } from './virtual/link.ts';
import { type SeededRandom, seededRandom } from './virtual/random.ts';
import { createVirtualTime, type VirtualTime } from './virtual/time.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly clusterCount: number;
  readonly workersPerCluster: number;
  readonly faults?: LinkFaults;
  readonly containerFaults?: ContainerFaults;
  /** Default: one of each policy. */
  readonly services?: readonly Partial<ServiceDocument>[];
  readonly parts?: Partial<Parts>;
  /** Keeps a log of what happens. */
  readonly isTracing?: boolean;
}

/** Real cores of all three tiers on a virtual clock, virtual disks and a virtual network. */
export interface World {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly oracle: Oracle;
  readonly watch: Watch;
  readonly traffic: Traffic;
  readonly root: RootNode;
  readonly clusters: readonly ClusterNode[];
  readonly workers: readonly WorkerNode[];
  readonly links: readonly VirtualLink[];
  readonly serviceCount: number;
  readonly log: readonly string[];
  linkOf(lowerId: string): VirtualLink;
  workersOf(cluster: ClusterNode): readonly WorkerNode[];
  documentOf(key: InstanceKey): ServiceDocument | undefined;
  /** A user asks for one more instance of a service. */
  request(service: number): InstanceKey | undefined;
  removeInstance(key: InstanceKey): void;
  /** A user gives a service another image. */
  change(service: number): void;
  /** Did a tier ever go on with another store than it had? */
  hasLostStores(): boolean;
  /** A user asks for a global service, or removes the one that there is. */
  deployGlobal(): void;
  removeGlobal(): void;
  /** What the users want of the global services. */
  readonly globals: ReadonlyMap<string, Intent>;
  /** An operator says so of a cluster; a removal is forced. Refused requests change nothing. */
  operate(cluster: ClusterNode, availability: Availability): void;
  availabilityOf(cluster: ClusterNode): Availability;
  /** Every process runs, every network works, nothing breaks any more. */
  healEverything(): void;
  run(durationMs: number): void;
}

export const NO_FAULTS: LinkFaults = {
  loss: 0,
  duplication: 0,
  maxLatencyMs: 10,
  keepsDuringCut: true,
};

export function createWorld(options: WorldOptions): World {
  const random = seededRandom(options.seed);
  const time = createVirtualTime();
  const oracle = createOracle();
  const log: string[] = [];
  const watch = createWatch({ oracle, nowMs: time.nowMs, isTracing: options.isTracing === true, log });
  const traffic = createTraffic();
  const parts: Parts = { ...PRODUCT, ...options.parts };
  const templates = options.services ?? ALL_POLICIES;
  const documents = new Map<string, ServiceDocument>();
  const nodeOptions: NodeOptions = { time, random, parts, watch, schedule: randomFit(random) };
  let generation = 0;
  let changes = 0;

  const workers: WorkerNode[] = [];
  const clusters: ClusterNode[] = [];
  const links = new Map<string, VirtualLink>();
  const root = createRootNode(nodeOptions);

  const linkOptions = { time, random, faults: options.faults ?? NO_FAULTS, onMessage: traffic.count };

  const addWorker = (id: string, cluster: ClusterNode): VirtualLink => {
    const faults = options.containerFaults ?? CONTAINER_FAULTS;
    const worker = createWorkerNode({ ...nodeOptions, id, faults });
    const link = createVirtualLink({ ...linkOptions, lower: worker, upper: cluster.upper });
    worker.attach(link);
    workers.push(worker);
    links.set(id, link);
    return link;
  };

  const addCluster = (id: string): VirtualLink => {
    const cluster = createClusterNode({ ...nodeOptions, id });
    const up = createVirtualLink({ ...linkOptions, lower: cluster.lower, upper: root });
    clusters.push(cluster);
    links.set(id, up);
    const down = new Map<string, VirtualLink>();
    for (let index = 0; index < options.workersPerCluster; index += 1) {
      const workerId = `${id}w${index}`;
      down.set(workerId, addWorker(workerId, cluster));
    }
    cluster.attach(up, down);
    return up;
  };

  const uplinks = new Map<string, VirtualLink>();
  for (let index = 0; index < options.clusterCount; index += 1) {
    uplinks.set(`c${index}`, addCluster(`c${index}`));
  }
  root.attach(uplinks);
  const startAll = (): void => {
    root.start();
    for (const cluster of clusters) cluster.start();
    for (const worker of workers) worker.start();
  };
  startAll();

  /** Users register a service again when the root does not know it any more. */
  const registered = (core: RootCore, index: number): string => {
    const present = core.serviceByJobName(jobNameOf(index));
    if (present !== undefined) return present.id;
    generation += 1;
    const service = serviceOf(templates[index] ?? {}, index, generation);
    documents.set(service.id, service.document);
    core.registerService(service);
    return service.id;
  };

  /** Does its cluster know of all who have it? One that lost its store cannot remove what it will only hear of later. */
  const isTracked = (key: InstanceKey): boolean =>
    workers.every(
      (worker) =>
        (!worker.containers.has(key) && !worker.disk.read().entries.has(key)) ||
        clusters.some((cluster) => isPlacedOn(cluster.disk.read().records.get(key), worker.id)),
    );
  const isPlacedOn = (record: InstanceRecord | undefined, workerId: string): boolean =>
    record !== undefined &&
    (!watch.hasLostStores() || record.placements.some(({ member }) => member === workerId));

  const availabilityOf = ({ id }: ClusterNode): Availability =>
    root.core()?.arbiter.memberState(id)?.mark.availability ??
    root.disk.read().marks.get(id)?.availability ??
    'open';

  /** What a cluster or a worker of it has, whether the root knows of it or not. */
  const carriedBy = (cluster: ClusterNode): InstanceKey[] => [
    ...cluster.disk.read().records.keys(),
    ...workers
      .filter(({ id }) => id.startsWith(`${cluster.id}w`))
      .flatMap(({ containers, disk }) => [...containers.keys(), ...disk.read().entries.keys()]),
  ];

  const operate = (cluster: ClusterNode, availability: Availability): void => {
    const { id } = cluster;
    root.ask(
      (core) => {
        const keys = [...(core.arbiter.memberState(id)?.keys ?? []), ...carriedBy(cluster)];
        core.setClusterAvailability(id, availability, true);
        watch.trace(`${id} is to be ${availability}`);
        if (availability !== 'removed') watch.admitted(id);
        else {
          watch.removedByForce(id, keys);
          // What only the removed one knew is gone with it.
          for (const key of keys) if (core.arbiter.record(key) === undefined) oracle.set(key, 'unsure');
        }
      },
      () => {},
    );
  };

  /** The operators leave one cluster for everything to go to. */
  const keepOneOpen = (): void => {
    if (clusters.some((cluster) => availabilityOf(cluster) === 'open')) return;
    for (const cluster of clusters) operate(cluster, 'open');
    time.after(250, keepOneOpen);
  };

  const globals = createGlobalUsers({ root, documents, watch });

  return {
    time,
    random,
    oracle,
    watch,
    traffic,
    root,
    clusters,
    workers,
    links: [...links.values()],
    serviceCount: templates.length,
    log,
    linkOf: (lowerId) => links.get(lowerId) as VirtualLink,
    workersOf: (cluster) => workers.filter((worker) => worker.id.startsWith(`${cluster.id}w`)),
    documentOf: (key) => documents.get(parseInstanceKey(key).serviceId),
    request(service) {
      let key: InstanceKey | undefined;
      root.ask(
        (core) => {
          const id = registered(core, service);
          key = instanceKey(id, core.requestInstance(id));
          oracle.set(key, 'unsure');
          watch.requested(key);
        },
        () => {
          if (key !== undefined) oracle.set(key, 'wanted');
        },
      );
      return key;
    },
    removeInstance(key) {
      const { serviceId, number } = parseInstanceKey(key);
      const before = oracle.intents.get(key) ?? 'unsure';
      watch.trace(`a user removes ${key}`);
      oracle.set(key, 'unsure');
      const isTaken = root.ask(
        (core) => {
          core.removeInstance(serviceId, number);
          oracle.removalAsked(key);
        },
        () => oracle.set(key, isTracked(key) ? 'unwanted' : 'unsure'),
      );
      if (!isTaken) oracle.set(key, before);
    },
    change(service) {
      root.ask(
        (core) => {
          const present = core.serviceByJobName(jobNameOf(service));
          if (present === undefined) return;
          changes += 1;
          watch.trace(`a user changes ${present.id} into i${changes}`);
          oracle.serviceChanged(present.id);
          const settings = { maxUnavailable: random.below(3), settleMs: 1000, giveUpMs: 30_000 };
          core.updateService(present.id, { ...present.document, image: `i${changes}` }, settings);
        },
        () => {},
      );
    },
    hasLostStores: watch.hasLostStores,
    ...globals,
    operate,
    availabilityOf,
    healEverything() {
      keepOneOpen();
      for (const link of links.values()) {
        link.calm();
        link.heal();
      }
      for (const node of [root, ...clusters, ...workers]) node.disk.free();
      for (const worker of workers) worker.calm();
      for (const node of [root, ...clusters]) node.wake();
      startAll();
    },
    run: (durationMs) => time.runUntil(time.nowMs() + durationMs),
  };
}
