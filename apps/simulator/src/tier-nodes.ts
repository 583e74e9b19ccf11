import { type ClusterCore, type ClusterEffects, createClusterCore } from '@oakestra/cluster';
import type { Epoch, InstanceKey } from '@oakestra/contracts';
import { createPump, type Effects, type InstanceRecord, type Pump, type Schedule } from '@oakestra/ownership';
import { createRootCore, type RootCore, type RootEffects, type ServiceRecord } from '@oakestra/root';
import type { Oracle } from './oracle.ts';
import type { SeededRandom } from './seeded-random.ts';
import { createVirtualDisk } from './virtual-disk.ts';
import type { LowerEnd, UpperEnd, VirtualLink } from './virtual-link.ts';
import type { VirtualTime } from './virtual-time.ts';
import { WALL_START_MS } from './worker-node.ts';

interface Store {
  readonly incarnation: string;
  readonly counter: number;
  readonly floor: number;
  readonly boots: number;
  readonly records: ReadonlyMap<InstanceKey, InstanceRecord>;
  readonly members: readonly string[];
  readonly services: ReadonlyMap<string, ServiceRecord>;
  readonly highestEpoch: Epoch;
}

/** A daemon with a store; both the root and a cluster are one. */
interface StoredNode {
  start(): void;
  crash(announcedGraceMs?: number): void;
  loseStore(): void;
  snapshot(): unknown;
  restore(snapshot: unknown): void;
  records(): readonly InstanceRecord[];
}

export interface RootNode extends StoredNode, UpperEnd {
  attach(links: ReadonlyMap<string, VirtualLink>): void;
  /** Runs a change of the core; `onDurable` when it is on disk. Nothing happens while the process is down. */
  ask(change: (core: RootCore) => void, onDurable: () => void): boolean;
  core(): RootCore | undefined;
}

export interface ClusterNode extends StoredNode {
  readonly id: string;
  readonly lower: LowerEnd;
  readonly upper: UpperEnd;
  attach(uplink: VirtualLink, downlinks: ReadonlyMap<string, VirtualLink>): void;
}

interface NodeOptions {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly schedule: Schedule;
  readonly trace: (text: string) => void;
}

const FACTS = {
  type: 'facts' as const,
  vcpus: 8,
  memoryTotalMib: 100_000,
  memoryAvailableMib: 100_000,
  cpuPercent: 0,
  memoryPercent: 0,
  activeWorkers: 1,
  virtualization: ['docker'],
  architectures: ['amd64'],
  largestWorkerMemoryMib: 100_000,
  largestWorkerVcpus: 8,
};

function emptyStore(random: SeededRandom, services: readonly ServiceRecord[]): Store {
  return {
    incarnation: `s${random.below(2 ** 30)}`,
    counter: 0,
    floor: 0,
    boots: 0,
    records: new Map(),
    members: [],
    services: new Map(services.map((service) => [service.id, service])),
    highestEpoch: { root: 0, cluster: 0 },
  };
}

function withEffects(before: Store, effects: Effects): Store {
  const records = new Map(before.records);
  for (const [key, record] of effects.writes) {
    if (record === null) records.delete(key);
    else records.set(key, record);
  }
  return {
    ...before,
    records,
    counter: effects.counter?.counter ?? before.counter,
    incarnation: effects.counter?.incarnation ?? before.incarnation,
    floor: effects.counter?.floor ?? before.floor,
  };
}

export function createRootNode(
  options: NodeOptions & { readonly services: readonly ServiceRecord[] },
): RootNode {
  const { time, random } = options;
  const disk = createVirtualDisk<Store>({ time, random, empty: emptyStore(random, options.services) });
  let links: ReadonlyMap<string, VirtualLink> = new Map();
  let process: { core: RootCore; pump: Pump } | undefined;

  const commitEffects = (before: Store, effects: RootEffects): Store => {
    const services = new Map(before.services);
    for (const [id, service] of effects.serviceWrites) {
      if (service === null) services.delete(id);
      else services.set(id, service);
    }
    return { ...withEffects(before, effects), services };
  };

  return {
    attach(given) {
      links = given;
    },
    isAlive: () => process !== undefined,
    core: () => process?.core,
    start() {
      if (process !== undefined) return;
      const store = disk.read();
      const core = createRootCore({
        stored: { ...store, records: [...store.records.values()], services: [...store.services.values()] },
        schedule: options.schedule,
        nowMs: time.nowMs,
        wallMs: () => WALL_START_MS + time.nowMs(),
        mintIncarnation: () => `s${random.below(2 ** 30)}`,
        timing: { resetGraceMs: 20_000, silenceGraceMs: 20_000, startGraceMs: 20_000, learnMs: 15_000 },
      });
      const pump = createPump<RootEffects>({
        core,
        nowMs: time.nowMs,
        setTimer: time.after,
        durabilityOf: (effects) =>
          effects.serviceWrites.size > 0 || effects.writes.size > 0 || effects.counter !== undefined
            ? effects.durability
            : 'none',
        commit: (effects, done) =>
          disk.commit((before) => commitEffects(before, effects), effects.durability, done),
        deliver: (effects) => {
          for (const notice of effects.notices)
            if (notice.kind !== 'changed') options.trace(`root ${JSON.stringify(notice)}`);
          for (const { member, message } of effects.sends) links.get(member)?.sendDown(message);
        },
        onCommitFailed: () => {},
      });
      process = { core, pump };
      pump.run(() => core.tick());
    },
    crash() {
      if (process === undefined) return;
      process.pump.stop();
      process = undefined;
      disk.crash();
      for (const link of links.values()) link.upperDied();
    },
    loseStore() {
      disk.replace(emptyStore(random, options.services));
    },
    snapshot: () => disk.snapshot(),
    restore(snapshot) {
      disk.replace({ ...(snapshot as Store), boots: disk.read().boots });
    },
    records: () => [...(process?.core.arbiter.records() ?? disk.read().records.values())],
    ask(change, onDurable) {
      if (process === undefined) return false;
      const { core, pump } = process;
      let isRefused = false;
      pump.run(
        () => {
          try {
            change(core);
          } catch {
            isRefused = true;
          }
        },
        (error) => {
          if (error === undefined && !isRefused) onDurable();
        },
      );
      return !isRefused;
    },
    up(id, greeting) {
      process?.pump.run(() => {
        process?.core.clusterUp(id, greeting);
        process?.core.clusterReport(id, FACTS);
      });
    },
    down: (id, reason) => process?.pump.run(() => process?.core.clusterDown(id, reason)),
    heard: (id) => process?.core.clusterHeard(id),
    report: (id, report) => process?.pump.run(() => process?.core.clusterReport(id, report)),
  };
}

export function createClusterNode(
  options: NodeOptions & { readonly id: string; readonly oracle: Oracle },
): ClusterNode {
  const { id, time, random, oracle } = options;
  const disk = createVirtualDisk<Store>({ time, random, empty: emptyStore(random, []) });
  let uplink: VirtualLink | undefined;
  let downlinks: ReadonlyMap<string, VirtualLink> = new Map();
  let process: { core: ClusterCore; pump: Pump } | undefined;

  const deliver = (effects: ClusterEffects): void => {
    for (const notice of effects.notices)
      if (notice.kind !== 'changed') options.trace(`${id} ${JSON.stringify(notice)}`);
    for (const { member, message } of effects.sends) {
      if (message.type === 'deploy') oracle.issued(message.key, member, message.epoch);
      downlinks.get(member)?.sendDown(message);
    }
    for (const report of effects.toRoot) uplink?.sendUp(report);
  };

  const isAlive = () => process !== undefined;

  return {
    id,
    attach(up, down) {
      uplink = up;
      downlinks = down;
    },
    start() {
      if (process !== undefined) return;
      const store = disk.read();
      const boot = store.boots + 1;
      disk.replace({ ...store, boots: boot });
      const core = createClusterCore({
        stored: { ...store, records: [...store.records.values()] },
        boot,
        schedule: options.schedule,
        nowMs: time.nowMs,
        wallMs: () => WALL_START_MS + time.nowMs(),
        mintIncarnation: () => `s${random.below(2 ** 30)}`,
      });
      const pump = createPump<ClusterEffects>({
        core,
        nowMs: time.nowMs,
        setTimer: time.after,
        durabilityOf: (effects) =>
          effects.writes.size > 0 || effects.counter !== undefined || effects.highestEpoch !== undefined
            ? effects.durability
            : 'none',
        commit: (effects, done) =>
          disk.commit(
            (before) => ({
              ...withEffects(before, effects),
              highestEpoch: effects.highestEpoch ?? before.highestEpoch,
            }),
            effects.durability,
            done,
          ),
        deliver,
        onCommitFailed: () => {},
      });
      process = { core, pump };
      pump.run(() => core.tick());
    },
    crash(announcedGraceMs) {
      if (process === undefined) return;
      process.pump.stop();
      process = undefined;
      disk.crash();
      uplink?.lowerDied(announcedGraceMs);
      for (const link of downlinks.values()) link.upperDied();
    },
    loseStore() {
      disk.replace({ ...emptyStore(random, []), boots: 0 });
    },
    snapshot: () => disk.snapshot(),
    restore(snapshot) {
      disk.replace(snapshot as Store);
    },
    records: () => [...(process?.core.arbiter.records() ?? disk.read().records.values())],

    upper: {
      isAlive,
      up(workerId, greeting) {
        process?.pump.run(() => {
          process?.core.workerUp(workerId, greeting);
          process?.core.workerFacts(workerId, FACTS);
        });
      },
      down: (workerId, reason) => process?.pump.run(() => process?.core.workerDown(workerId, reason)),
      heard: (workerId) => process?.core.workerHeard(workerId),
      report: (workerId, report) => process?.pump.run(() => process?.core.workerReport(workerId, report)),
    },
    lower: {
      id,
      isAlive,
      greeting() {
        if (process === undefined) throw new Error('the process is not running');
        return process.core.greeting();
      },
      up: () => process?.pump.run(() => process?.core.rootUp()),
      down: () => process?.pump.run(() => process?.core.rootDown()),
      command: (command) => process?.pump.run(() => process?.core.rootCommand(command)),
      contact: () => {},
    },
  };
}
