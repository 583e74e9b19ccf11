import { compareEpochs, type Epoch, type InstanceKey, type ServiceDocument } from '@oakestra/contracts';
import { createPump, type Pump, policyOf } from '@oakestra/ownership';
import {
  createWorkerCore,
  type InstanceAction,
  type InstanceEntry,
  type WorkerCore,
  type WorkerEffects,
  type WorkerMeta,
} from '@oakestra/worker';
import type { Oracle } from './oracle.ts';
import type { SeededRandom } from './seeded-random.ts';
import { createVirtualDisk } from './virtual-disk.ts';
import type { LowerEnd, VirtualLink } from './virtual-link.ts';
import type { VirtualTime } from './virtual-time.ts';

interface Container {
  epoch: Epoch;
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
  isRunning: boolean;
  exitCode: number;
}

interface Content {
  readonly entries: ReadonlyMap<InstanceKey, InstanceEntry>;
  readonly meta: WorkerMeta;
  readonly boots: number;
}

/** A machine with a worker process on it. Its containers outlive the process, not the machine. */
export interface WorkerNode extends LowerEnd {
  readonly containers: ReadonlyMap<InstanceKey, Container>;
  attach(link: VirtualLink): void;
  start(): void;
  /** `process`: kill -9 of the worker; `machine`: power failure; `restart`: an orderly, announced restart. */
  crash(kind: 'process' | 'machine' | 'restart'): void;
  loseJournal(): void;
  entries(): readonly InstanceEntry[];
  /** How often each instance was started here. */
  readonly starts: ReadonlyMap<InstanceKey, number>;
}

export function createWorkerNode(options: {
  readonly id: string;
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly oracle: Oracle;
  readonly violation: (text: string) => void;
  readonly onStarted: (key: InstanceKey, document: ServiceDocument) => void;
}): WorkerNode {
  const { id, time, random, oracle } = options;
  const disk = createVirtualDisk<Content>({ time, random, empty: emptyJournal(random) });
  const containers = new Map<InstanceKey, Container>();
  const starts = new Map<InstanceKey, number>();
  let link: VirtualLink | undefined;
  let process: { core: WorkerCore; pump: Pump; boot: number } | undefined;
  /** The newest attempt of each instance: a real executor runs them one after the other. */
  const attempts = new Map<InstanceKey, number>();
  /** Work under way belongs to one life of the process. */
  let life = 0;
  let bootedAtMs = 0;

  const monotonicMs = (): number => time.nowMs() - bootedAtMs;

  const within = (delayMs: number, action: () => void): void => {
    const mine = life;
    time.after(delayMs, () => {
      if (mine === life && process !== undefined) action();
    });
  };

  const checkStop = (key: InstanceKey, container: Container, entry: InstanceEntry): void => {
    if (!container.isRunning || oracle.intents.get(key) !== 'wanted') return;
    if (entry.outcome === 'fenced' || entry.outcome === 'completed') return;
    if (oracle.hasNewerOwner(key, id, container.epoch)) return;
    options.violation(`${id} stopped ${key} which is wanted and has no newer owner`);
  };

  const finish = (
    action: InstanceAction & { attempt: number },
    result: Parameters<WorkerCore['finished']>[2],
  ) => {
    process?.pump.run(() => process?.core.finished(action.key, action.attempt, result));
  };

  const exit = (key: InstanceKey, container: Container, code: number): void => {
    if (containers.get(key) !== container || !container.isRunning) return;
    container.isRunning = false;
    container.exitCode = code;
    const detail = `exit code ${code}`;
    if (process !== undefined) process.pump.run(() => process?.core.exited(key, { code, detail }));
  };

  const start = (action: Extract<InstanceAction, { kind: 'start' }>): void => {
    const present = containers.get(action.key);
    if (present?.isRunning === true) options.violation(`${id} starts ${action.key} over a running one`);
    containers.delete(action.key);
    within(40 + random.below(300), () => {
      if (attempts.get(action.key) !== action.attempt) return;
      if (random.chance(0.05)) {
        finish(action, { kind: 'start-failed', detail: 'simulated' });
        return;
      }
      const container: Container = {
        epoch: action.entry.epoch,
        document: action.entry.document,
        ownerUserId: action.entry.ownerUserId,
        isRunning: true,
        exitCode: 0,
      };
      containers.set(action.key, container);
      starts.set(action.key, (starts.get(action.key) ?? 0) + 1);
      options.onStarted(action.key, action.entry.document);
      if (policyOf(container.document).isOneShot) {
        time.after(500 + random.below(3000), () => exit(action.key, container, random.chance(0.3) ? 1 : 0));
      } else if (random.chance(0.03)) {
        time.after(500 + random.below(5000), () => exit(action.key, container, 1));
      }
      within(random.below(20), () => finish(action, { kind: 'started' }));
    });
  };

  const remove = (action: Extract<InstanceAction, { kind: 'remove' }>): void => {
    within(10 + random.below(200), () => {
      const container = containers.get(action.key);
      if (container !== undefined) checkStop(action.key, container, action.entry);
      containers.delete(action.key);
      within(random.below(20), () => finish(action, { kind: 'removed' }));
    });
  };

  const deliver = (effects: WorkerEffects): void => {
    for (const report of effects.sends) link?.sendUp(report);
    for (const action of effects.actions) {
      if (action.kind !== 'relabel') attempts.set(action.key, action.attempt);
      if (action.kind === 'start') start(action);
      else if (action.kind === 'remove') remove(action);
      else {
        within(5, () => {
          const container = containers.get(action.key);
          if (container !== undefined && compareEpochs(action.entry.epoch, container.epoch) > 0) {
            container.epoch = action.entry.epoch;
          }
        });
      }
    }
  };

  const node: WorkerNode = {
    id,
    containers,
    starts,
    attach(given) {
      link = given;
    },
    isAlive: () => process !== undefined,
    entries: () => [...disk.read().entries.values()],

    start() {
      if (process !== undefined) return;
      life += 1;
      const content = disk.read();
      const boot = content.boots + 1;
      const core = createWorkerCore({
        meta: content.meta,
        entries: [...content.entries.values()],
        boot,
        nowMs: monotonicMs,
        wallMs: () => WALL_START_MS + time.nowMs(),
        address: () => id,
      });
      const pump = createPump<WorkerEffects>({
        core,
        nowMs: monotonicMs,
        setTimer: (delayMs, action) => time.after(delayMs, action),
        durabilityOf: (effects) => (effects.writes.size > 0 || effects.meta !== undefined ? 'full' : 'none'),
        commit: (effects, done) => disk.commit((before) => applied(before, effects), 'full', done),
        deliver,
        onCommitFailed: () => {},
      });
      disk.commit(
        (before) => ({ ...before, boots: boot }),
        'full',
        () => {
          const mine = life;
          if (process !== undefined || mine !== life) return;
          process = { core, pump, boot };
          pump.run(() =>
            core.recover(
              [...containers].map(([key, container]) => ({
                key,
                epoch: container.epoch,
                document: container.document,
                ownerUserId: container.ownerUserId,
                isRunning: container.isRunning,
                ...(container.isRunning ? {} : { exit: { code: container.exitCode, detail: 'ended' } }),
              })),
            ),
          );
        },
      );
    },

    crash(kind) {
      if (process === undefined) return;
      process.pump.stop();
      process = undefined;
      life += 1;
      disk.crash();
      if (kind === 'machine') {
        containers.clear();
        bootedAtMs = time.nowMs();
      }
      link?.lowerDied(kind === 'restart' ? 30_000 : undefined);
    },
    loseJournal() {
      disk.replace(emptyJournal(random));
    },

    greeting: () => process?.core.greeting(process.boot) ?? fail(),
    up: () => process?.pump.run(() => process?.core.sessionUp()),
    down: () => process?.pump.run(() => process?.core.sessionDown()),
    command: (command) => process?.pump.run(() => process?.core.command(command)),
    contact: (sentAtMs) => process?.pump.run(() => process?.core.contact(sentAtMs - bootedAtMs)),
  };
  return node;
}

/** The virtual clock starts here on the wall: 2026. */
export const WALL_START_MS = 1_790_000_000_000;

function emptyJournal(random: SeededRandom): Content {
  return {
    entries: new Map(),
    meta: {
      incarnation: `w${random.below(2 ** 30)}`,
      highestEpoch: { root: 0, cluster: 0 },
      fenceByMs: null,
    },
    boots: 0,
  };
}

function applied(before: Content, effects: WorkerEffects): Content {
  const entries = new Map(before.entries);
  for (const [key, entry] of effects.writes) {
    if (entry === null) entries.delete(key);
    else entries.set(key, entry);
  }
  return { ...before, entries, meta: effects.meta ?? before.meta };
}

function fail(): never {
  throw new Error('the process is not running');
}
