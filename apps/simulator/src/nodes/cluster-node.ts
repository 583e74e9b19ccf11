import type { ClusterCore, ClusterEffects } from '@oakestra/cluster';
import { createVirtualDisk } from '../virtual/disk.ts';
import type { LowerEnd, UpperEnd, VirtualLink } from '../virtual/link.ts';
import { createDaemon } from './daemon.ts';
import type { NodeOptions, TierNode } from './root-node.ts';
import {
  emptyStore,
  FACTS,
  storedState,
  type TierStore,
  WALL_START_MS,
  withEffects,
  withMember,
} from './tier-store.ts';

export interface ClusterNode extends TierNode<ClusterCore> {
  readonly lower: LowerEnd;
  readonly upper: UpperEnd;
  attach(uplink: VirtualLink, downlinks: ReadonlyMap<string, VirtualLink>): void;
}

export function createClusterNode(options: NodeOptions & { readonly id: string }): ClusterNode {
  const { id, time, random, watch } = options;
  const disk = createVirtualDisk<TierStore>({ time, random, empty: emptyStore(random) });
  let uplink: VirtualLink | undefined;
  let downlinks: ReadonlyMap<string, VirtualLink> = new Map();
  let wallOffsetMs = 0;

  const wallMs = (): number => WALL_START_MS + time.nowMs() + wallOffsetMs;

  const drop = (announcedGraceMs?: number): void => {
    uplink?.lowerDied(announcedGraceMs);
    for (const link of downlinks.values()) link.upperDied();
  };

  const daemon = createDaemon<ClusterCore, ClusterEffects, TierStore>({
    time,
    disk,
    createPump: options.parts.createPump,
    begin: (store) => ({ ...store, boots: Math.max(store.boots + 1, wallMs()) }),
    build: (store) =>
      options.parts.createClusterCore({
        stored: { ...storedState(store), highestEpoch: store.highestEpoch },
        boot: store.boots,
        schedule: options.schedule,
        nowMs: time.nowMs,
        wallMs,
        mintIncarnation: () => `s${random.below(2 ** 30)}`,
      }),
    started: () => watch.started(id),
    durabilityOf: (effects) =>
      effects.writes.size > 0 || effects.counter !== undefined || effects.highestEpoch !== undefined
        ? effects.durability
        : 'none',
    apply: (before, effects) => ({
      ...withEffects(before, effects),
      highestEpoch: effects.highestEpoch ?? before.highestEpoch,
    }),
    deliver(effects) {
      watch.tierActed(id, effects);
      for (const { member, message } of effects.sends) {
        watch.ordered(id, member, message);
        downlinks.get(member)?.sendDown(message);
      }
      for (const report of effects.toRoot) uplink?.sendUp(report);
    },
    wasLate: (core, lateMs) => core.selfLate(lateMs),
    drop,
  });

  return {
    id,
    disk,
    core: daemon.core,
    start: daemon.start,
    stall: daemon.stall,
    wake: daemon.wake,
    isResponsive: daemon.isResponsive,
    attach(up, down) {
      uplink = up;
      downlinks = down;
    },
    crash(announcedGraceMs) {
      const wasRunning = daemon.core() !== undefined;
      daemon.crash();
      if (wasRunning) drop(announcedGraceMs);
    },
    jumpWall(byMs) {
      wallOffsetMs += byMs;
    },
    records: () => [...(daemon.core()?.arbiter.records() ?? disk.read().records.values())],
    upper: {
      isResponsive: daemon.isResponsive,
      up(workerId, greeting) {
        disk.commit(
          (before) => withMember(before, workerId),
          'normal',
          () => {},
        );
        daemon.run((core) => {
          core.workerUp(workerId, greeting);
          core.workerFacts(workerId, FACTS);
        });
      },
      down: (workerId, reason) => void daemon.run((core) => core.workerDown(workerId, reason)),
      heard: (workerId, answer) =>
        daemon.touch((core) => {
          core.workerHeard(workerId);
          answer();
        }),
      report: (workerId, report) => void daemon.run((core) => core.workerReport(workerId, report)),
    },
    lower: {
      id,
      isResponsive: daemon.isResponsive,
      greeting() {
        const core = daemon.core();
        if (core === undefined) throw new Error('the process is not running');
        return core.greeting();
      },
      up: () => void daemon.run((core) => core.rootUp()),
      down: () => void daemon.run((core) => core.rootDown()),
      command: (command) => void daemon.run((core) => core.rootCommand(command)),
      contact: () => {},
    },
  };
}
