import { type InstanceKey, instanceKey, type ServiceDocument } from '@oakestra/contracts';
import { policyOf, type Schedule } from '@oakestra/ownership';
import type { ServiceRecord } from '@oakestra/root';
import { createOracle, type Oracle } from './oracle.ts';
import { type SeededRandom, seededRandom } from './seeded-random.ts';
import { type ClusterNode, createClusterNode, createRootNode, type RootNode } from './tier-nodes.ts';
import { createVirtualLink, type LinkFaults, type VirtualLink } from './virtual-link.ts';
import { createVirtualTime, type VirtualTime } from './virtual-time.ts';
import { createWorkerNode, type WorkerNode } from './worker-node.ts';

export interface World {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly oracle: Oracle;
  readonly root: RootNode;
  readonly clusters: readonly ClusterNode[];
  readonly workers: readonly WorkerNode[];
  readonly links: readonly VirtualLink[];
  readonly services: readonly ServiceRecord[];
  readonly violations: readonly string[];
  violation(text: string): void;
  request(serviceId: string): void;
  removeInstance(key: InstanceKey): void;
  /** Every process runs, every network works, nothing is lost any more. */
  healEverything(): void;
  run(durationMs: number): void;
  runningOf(key: InstanceKey): number;
  trace(text: string): void;
  readonly log: readonly string[];
}

export interface WorldOptions {
  readonly seed: number;
  readonly clusterCount: number;
  readonly workersPerCluster: number;
  readonly faults: LinkFaults;
  readonly services?: readonly Partial<ServiceDocument>[];
}

const DEFAULT_SERVICES: readonly Partial<ServiceDocument>[] = [
  {},
  { on_disconnect: 'wait' },
  { on_disconnect: 'stop-after 6' },
  { one_shot: true },
  { one_shot: true, one_shot_delivery: 'at-most-once' },
];

/** Real cores of all three tiers on a virtual clock, virtual disks and a virtual network. */
export function createWorld(options: WorldOptions): World {
  const random = seededRandom(options.seed);
  const time = createVirtualTime();
  const oracle = createOracle();
  const violations: string[] = [];
  const log: string[] = [];
  const services = (options.services ?? DEFAULT_SERVICES).map(service);
  const schedule = randomFit(random);
  const violation = (text: string): void => {
    violations.push(`at ${time.nowMs()} ms: ${text}`);
  };
  const trace = (text: string): void => {
    log.push(`${time.nowMs()} ${text}`);
  };

  const workers: WorkerNode[] = [];
  const links: VirtualLink[] = [];
  const clusters: ClusterNode[] = [];
  const root = createRootNode({ time, random, schedule, services, trace });
  const rootLinks = new Map<string, VirtualLink>();

  const runningOf = (key: InstanceKey): number =>
    workers.filter((worker) => worker.containers.get(key)?.isRunning === true).length;

  const onStarted = (key: InstanceKey, document: ServiceDocument): void => {
    const policy = policyOf(document);
    if (policy.onDisconnect.kind === 'stop-after' && runningOf(key) > 1) {
      violation(`${key} runs ${runningOf(key)} times although it says stop-after`);
    }
    if (policy.isAtMostOnce) {
      const starts = workers.reduce((sum, worker) => sum + (worker.starts.get(key) ?? 0), 0);
      if (starts > 1) violation(`${key} was started ${starts} times although it says at-most-once`);
    }
  };

  for (let c = 0; c < options.clusterCount; c += 1) {
    const cluster = createClusterNode({ id: `c${c}`, time, random, schedule, oracle, trace });
    clusters.push(cluster);
    const up = createVirtualLink({
      time,
      random,
      lower: cluster.lower,
      upper: () => root,
      faults: options.faults,
    });
    links.push(up);
    rootLinks.set(cluster.id, up);
    const down = new Map<string, VirtualLink>();
    for (let w = 0; w < options.workersPerCluster; w += 1) {
      const worker = createWorkerNode({ id: `c${c}w${w}`, time, random, oracle, violation, onStarted });
      const link = createVirtualLink({
        time,
        random,
        lower: worker,
        upper: () => cluster.upper,
        faults: options.faults,
      });
      worker.attach(link);
      workers.push(worker);
      links.push(link);
      down.set(worker.id, link);
    }
    cluster.attach(up, down);
  }
  root.attach(rootLinks);
  root.start();
  for (const cluster of clusters) cluster.start();
  for (const worker of workers) worker.start();

  return {
    time,
    random,
    oracle,
    root,
    clusters,
    workers,
    links,
    services,
    violations,
    violation,
    log,
    trace,
    runningOf,
    request(serviceId) {
      let key: InstanceKey | undefined;
      root.ask(
        (core) => {
          key = instanceKey(serviceId, core.requestInstance(serviceId));
          oracle.set(key, 'unsure');
        },
        () => {
          if (key !== undefined) oracle.set(key, 'wanted');
        },
      );
      if (key !== undefined) trace(`request ${key}`);
    },
    removeInstance(key) {
      const [serviceId = '', number] = key.split('/');
      const before = oracle.intents.get(key) ?? 'unsure';
      oracle.set(key, 'unsure');
      const isTaken = root.ask(
        (core) => core.removeInstance(serviceId, Number(number)),
        () => oracle.set(key, 'unwanted'),
      );
      if (!isTaken) oracle.set(key, before);
      else trace(`remove ${key}`);
    },
    healEverything() {
      for (const link of links) {
        link.calm();
        link.heal();
      }
      root.start();
      for (const cluster of clusters) cluster.start();
      for (const worker of workers) worker.start();
    },
    run(durationMs) {
      time.runUntil(time.nowMs() + durationMs, () => {});
    },
  };
}

function service(extra: Partial<ServiceDocument>, index: number): ServiceRecord {
  const id = index.toString(16).padStart(24, '0');
  const name = `s${index}`;
  return {
    id,
    ownerUserId: 'u',
    nextInstanceNumber: 0,
    document: {
      microserviceID: id,
      applicationID: 'a',
      job_name: `app.ns.${name}.ns`,
      app_name: 'app',
      app_ns: 'ns',
      service_name: name,
      service_ns: 'ns',
      virtualization: 'docker',
      image: 'i',
      code: 'i',
      ...extra,
    },
  };
}

/** Any member will do: the more varied the placements, the more is tried. */
function randomFit(random: SeededRandom): Schedule {
  return ({ candidates }) =>
    candidates.length === 0
      ? { kind: 'none', status: 'NoActiveClusterWithCapacity', detail: 'nobody is there' }
      : { kind: 'chosen', member: random.pick(candidates).id, reason: 'random' };
}
