import type { ClusterCore, ClusterEffects } from '@oakestra/cluster';
import type { TierCommand } from '@oakestra/contracts';
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
import { createSendingWithValues, createVirtualValues, type VirtualValues } from './values.ts';

export interface ClusterNode extends TierNode<ClusterCore> {
  readonly lower: LowerEnd;
  readonly upper: UpperEnd;
  readonly values: VirtualValues;
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

  const values = createVirtualValues({ time, random });
  const sendWithValues = createSendingWithValues({ time, random });
  const eraseValues = (core: ClusterCore): void =>
    values.retain(
      [...core.arbiter.records()].flatMap(({ wanted, document }) => (wanted === 'running' ? [document] : [])),
    );

  const daemon = createDaemon<ClusterCore, ClusterEffects, TierStore>({
    time,
    disk,
    createPump: options.parts.createPump,
    begin: (store) => ({ ...store, boots: Math.max(store.boots + 1, wallMs()) }),
    build: (store) =>
      options.parts.createClusterCore({
        stored: {
          ...storedState(store),
          highestEpoch: store.highestEpoch,
          assignments: [...store.assignments.values()],
        },
        boot: store.boots,
        schedule: options.schedule,
        nowMs: time.nowMs,
        wallMs,
        mintIncarnation: () => `s${random.below(2 ** 30)}`,
        hasValues: values.has,
      }),
    started(core) {
      watch.started(id, core.arbiter.records());
      eraseValues(core);
    },
    durabilityOf: (effects) =>
      effects.writes.size > 0 ||
      effects.assignmentWrites.size > 0 ||
      effects.counter !== undefined ||
      effects.highestEpoch !== undefined
        ? effects.durability
        : 'none',
    apply: (before, effects) => ({
      ...withEffects(before, effects),
      assignments: withAssignments(before, effects),
      highestEpoch: effects.highestEpoch ?? before.highestEpoch,
    }),
    deliver(effects) {
      watch.tierActed(id, effects);
      for (const { member, message } of effects.sends) {
        watch.ordered(id, member, message);
        const send = (whole: TierCommand) => downlinks.get(member)?.sendDown(whole);
        const isLacking = message.type === 'deploy' && !values.has(message.document);
        if (isLacking) send(message);
        else sendWithValues(member, message, send);
      }
      for (const report of effects.toRoot) uplink?.sendUp(report);
      const core = daemon.core();
      if (core !== undefined && effects.writes.size > 0) eraseValues(core);
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
    values,
    attach(up, down) {
      uplink = up;
      downlinks = down;
    },
    crash(announcedGraceMs) {
      const wasRunning = daemon.core() !== undefined;
      daemon.crash();
      values.crash();
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
      command: (command) =>
        values.obey(
          command,
          (bare) => void daemon.run((core) => core.rootCommand(bare)),
          () => {
            const core = daemon.core();
            if (core !== undefined) eraseValues(core);
          },
        ),
      contact: () => {},
    },
  };
}

function withAssignments(before: TierStore, { assignmentWrites }: ClusterEffects): TierStore['assignments'] {
  if (assignmentWrites.size === 0) return before.assignments;
  const assignments = new Map(before.assignments);
  for (const [id, assignment] of assignmentWrites) {
    if (assignment === null) assignments.delete(id);
    else assignments.set(id, assignment);
  }
  return assignments;
}
