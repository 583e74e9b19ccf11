import type { InstanceRecord, Schedule } from '@oakestra/ownership';
import type { RootCore, RootEffects } from '@oakestra/root';
import type { Watch } from '../judge/watch.ts';
import { createVirtualDisk, type VirtualDisk } from '../virtual/disk.ts';
import type { UpperEnd, VirtualLink } from '../virtual/link.ts';
import type { SeededRandom } from '../virtual/random.ts';
import type { VirtualTime } from '../virtual/time.ts';
import { createDaemon, type Daemon } from './daemon.ts';
import type { Parts } from './parts.ts';
import {
  emptyStore,
  FACTS,
  storedState,
  type TierStore,
  WALL_START_MS,
  withEffects,
  withMember,
} from './tier-store.ts';
import { createSendingWithValues } from './values.ts';

/** What the root and a cluster have in common: a process, a store and a clock that may be wrong. */
export interface TierNode<Core>
  extends Pick<Daemon<Core>, 'core' | 'start' | 'stall' | 'wake' | 'isResponsive'> {
  readonly id: string;
  readonly disk: VirtualDisk<TierStore>;
  /** With a grace: it said that it will be back. */
  crash(announcedGraceMs?: number): void;
  /** The clock on the wall jumps. */
  jumpWall(byMs: number): void;
  /** What the process knows, or what the disk has while there is none. */
  records(): readonly InstanceRecord[];
}

export interface NodeOptions {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly parts: Parts;
  readonly schedule: Schedule;
  readonly watch: Watch;
}

export interface RootNode extends TierNode<RootCore>, UpperEnd {
  readonly id: 'root';
  attach(links: ReadonlyMap<string, VirtualLink>): void;
  /** A user asks for a change; `onStored` when the answer is yes. False: refused, or nobody there. */
  ask(change: (core: RootCore) => void, onStored: () => void): boolean;
}

/** Shorter than the root's own minutes, so that a run sees more of them. */
const TIMING = { resetGraceMs: 20_000, silenceGraceMs: 20_000, startGraceMs: 20_000, learnMs: 15_000 };

export function createRootNode(options: NodeOptions): RootNode {
  const { time, random, watch } = options;
  const disk = createVirtualDisk<TierStore>({ time, random, empty: emptyStore(random) });
  let links: ReadonlyMap<string, VirtualLink> = new Map();
  let wallOffsetMs = 0;
  const sendWithValues = createSendingWithValues({ time, random });

  const drop = (): void => {
    for (const link of links.values()) link.upperDied();
  };

  const daemon = createDaemon<RootCore, RootEffects, TierStore>({
    time,
    disk,
    createPump: options.parts.createPump,
    begin: (store) => ({ ...store, boots: store.boots + 1 }),
    build: (store) =>
      options.parts.createRootCore({
        stored: { ...storedState(store), services: [...store.services.values()] },
        schedule: options.schedule,
        nowMs: time.nowMs,
        wallMs: () => WALL_START_MS + time.nowMs() + wallOffsetMs,
        mintIncarnation: () => `s${random.below(2 ** 30)}`,
        timing: TIMING,
      }),
    started: (core) => watch.started('root', core.arbiter.records()),
    durabilityOf: (effects) =>
      effects.serviceWrites.size > 0 ||
      effects.writes.size > 0 ||
      effects.marks.size > 0 ||
      effects.counter !== undefined
        ? effects.durability
        : 'none',
    apply: (before, effects) => withServices(withEffects(before, effects), effects),
    deliver(effects) {
      watch.tierActed('root', effects);
      for (const { member, message } of effects.sends) {
        watch.ordered('root', member, message);
        sendWithValues(member, message, (whole) => links.get(member)?.sendDown(whole));
      }
    },
    wasLate: (core, lateMs) => core.selfLate(lateMs),
    drop,
  });

  return {
    id: 'root',
    disk,
    core: daemon.core,
    start: daemon.start,
    stall: daemon.stall,
    wake: daemon.wake,
    isResponsive: daemon.isResponsive,
    attach(given) {
      links = given;
    },
    crash() {
      daemon.crash();
      drop();
    },
    jumpWall(byMs) {
      wallOffsetMs += byMs;
    },
    records: () => [...(daemon.core()?.arbiter.records() ?? disk.read().records.values())],
    ask(change, onStored) {
      if (!daemon.isResponsive()) return false;
      let isRefused = false;
      daemon.run(
        (core) => {
          try {
            change(core);
          } catch {
            isRefused = true;
          }
        },
        (error) => {
          if (error === undefined && !isRefused) onStored();
        },
      );
      return !isRefused;
    },
    up(id, greeting) {
      disk.commit(
        (before) => withMember(before, id),
        'normal',
        () => {},
      );
      daemon.run((core) => {
        core.clusterUp(id, greeting);
        core.clusterReport(id, FACTS);
      });
    },
    down: (id, reason) => void daemon.run((core) => core.clusterDown(id, reason)),
    heard: (id, answer) =>
      daemon.touch((core) => {
        core.clusterHeard(id);
        answer();
      }),
    report: (id, report) => void daemon.run((core) => core.clusterReport(id, report)),
  };
}

function withServices(before: TierStore, effects: RootEffects): TierStore {
  if (effects.serviceWrites.size === 0) return before;
  const services = new Map(before.services);
  for (const [id, service] of effects.serviceWrites) {
    if (service === null) services.delete(id);
    else services.set(id, service);
  }
  return { ...before, services };
}
