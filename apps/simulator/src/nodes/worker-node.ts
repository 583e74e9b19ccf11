import type { Epoch, InstanceKey } from '@oakestra/contracts';
import type { Pump } from '@oakestra/ownership';
import type { InstanceEntry, WorkerCore, WorkerEffects, WorkerMeta } from '@oakestra/worker';
import type { Watch } from '../judge/watch.ts';
import { createVirtualDisk, type VirtualDisk } from '../virtual/disk.ts';
import type { LowerEnd, VirtualLink } from '../virtual/link.ts';
import type { SeededRandom } from '../virtual/random.ts';
import type { VirtualTime } from '../virtual/time.ts';
import type { Container } from './container.ts';
import { type ContainerFaults, createContainers } from './containers.ts';
import type { Parts } from './parts.ts';
import { WALL_START_MS } from './tier-store.ts';
import { createVirtualValues, type VirtualValues } from './values.ts';

export interface Journal {
  readonly entries: ReadonlyMap<InstanceKey, InstanceEntry>;
  readonly meta: WorkerMeta;
  readonly boots: number;
}

/** `process`: kill -9; `machine`: power failure; `restart`: in order and announced. */
export type WorkerEnd = 'process' | 'machine' | 'restart';

/** A machine with a worker process on it. */
export interface WorkerNode extends LowerEnd {
  readonly disk: VirtualDisk<Journal>;
  readonly containers: ReadonlyMap<InstanceKey, Container>;
  readonly values: VirtualValues;
  attach(link: VirtualLink): void;
  start(): void;
  crash(end: WorkerEnd): void;
  loseJournal(): void;
  jumpWall(byMs: number): void;
  entries(): readonly InstanceEntry[];
  highestEpoch(): Epoch | undefined;
  /** Containers do what they are told from now on. */
  calm(): void;
}

export interface WorkerNodeOptions {
  readonly id: string;
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly parts: Parts;
  readonly watch: Watch;
  readonly faults: ContainerFaults;
}

/** The grace that a worker announces before a restart. */
const RESTART_GRACE_MS = 30_000;
/** A process that ended because its journal failed is started again by its supervisor. */
const SUPERVISOR_MS = 1000;

export function createWorkerNode(options: WorkerNodeOptions): WorkerNode {
  const { id, time, random, watch } = options;
  const disk = createVirtualDisk<Journal>({ time, random, empty: emptyJournal(random) });
  let link: VirtualLink | undefined;
  let running: { readonly core: WorkerCore; readonly pump: Pump; readonly boot: number } | undefined;
  /** What belongs to an earlier life of the process is ignored. */
  let life = 0;
  let isStarting = false;
  let bootedAtMs = 0;
  let wallOffsetMs = 0;

  const monotonicMs = (): number => time.nowMs() - bootedAtMs;
  const run = (event: (core: WorkerCore) => void): void => {
    if (running === undefined) return;
    const { core, pump } = running;
    pump.run(() => event(core));
  };

  const values = createVirtualValues({ time, random });
  const eraseValues = (): void =>
    values.retain(
      [...(running?.core.entries() ?? [])].flatMap(({ wanted, document }) =>
        wanted === 'running' ? [document] : [],
      ),
    );

  const containers = createContainers({
    ...options,
    hasValues: values.has,
    workerId: id,
    onFinished: (key, attempt, result) => run((core) => core.finished(key, attempt, result)),
    onExited: (key, code) => run((core) => core.exited(key, { code, detail: `exit code ${code}` })),
  });

  const deliver = (effects: WorkerEffects): void => {
    for (const report of effects.sends) link?.sendUp(report);
    for (const action of effects.actions) containers.execute(action);
    if (effects.writes.size > 0) eraseValues();
  };

  const build = (): void => {
    const { meta, entries, boots: boot } = disk.read();
    const core = options.parts.createWorkerCore({
      meta,
      entries: [...entries.values()],
      boot,
      nowMs: monotonicMs,
      wallMs: () => WALL_START_MS + time.nowMs() + wallOffsetMs,
      address: () => id,
      hasValues: values.has,
    });
    const pump = options.parts.createPump<WorkerEffects>({
      core,
      nowMs: monotonicMs,
      setTimer: time.after,
      durabilityOf: (effects) => (effects.writes.size > 0 || effects.meta !== undefined ? 'full' : 'none'),
      commit: (effects, done) => disk.commit((before) => withEffects(before, effects), 'full', done),
      deliver,
      onCommitFailed: () => end('process', SUPERVISOR_MS),
    });
    running = { core, pump, boot };
    pump.run(() => core.recover(found()));
    eraseValues();
  };

  const found = () =>
    Array.from(containers.all, ([key, container]) => ({
      key,
      epoch: container.epoch,
      document: container.document,
      ownerUserId: container.ownerUserId,
      isRunning: container.isRunning,
      ...(container.isRunning ? {} : { exit: { code: container.exitCode, detail: 'ended' } }),
    }));

  const end = (kind: WorkerEnd, startAgainMs?: number): void => {
    running?.pump.stop();
    running = undefined;
    isStarting = false;
    life += 1;
    containers.abandon();
    disk.crash();
    values.crash();
    if (kind === 'machine') {
      containers.clear();
      bootedAtMs = time.nowMs();
    }
    link?.lowerDied(kind === 'restart' ? RESTART_GRACE_MS : undefined);
    if (startAgainMs !== undefined) startLater(startAgainMs);
  };

  const startLater = (delayMs: number): void => {
    const mine = life;
    time.after(delayMs, () => {
      if (mine === life) start();
    });
  };

  const start = (): void => {
    if (running !== undefined || isStarting) return;
    isStarting = true;
    life += 1;
    const mine = life;
    disk.commit(
      (before) => ({ ...before, boots: before.boots + 1 }),
      'full',
      (error) => {
        if (mine !== life) return;
        isStarting = false;
        if (error === undefined) build();
        else startLater(SUPERVISOR_MS);
      },
    );
  };

  return {
    id,
    disk,
    containers: containers.all,
    attach(given) {
      link = given;
    },
    isResponsive: () => running !== undefined,
    start,
    crash(kind) {
      if (kind === 'restart' && link?.isUp() === true && !link.isCut()) {
        watch.announced(id, time.nowMs() + RESTART_GRACE_MS);
      }
      end(kind);
    },
    loseJournal() {
      disk.replace(emptyJournal(random));
      values.lose();
    },
    values,
    jumpWall(byMs) {
      wallOffsetMs += byMs;
    },
    entries: () => [...disk.read().entries.values()],
    highestEpoch: () => running?.core.greeting(0).highestEpoch,
    calm: containers.calm,

    greeting() {
      if (running === undefined) throw new Error('the process is not running');
      watch.returned(id);
      return running.core.greeting(running.boot);
    },
    up: () => run((core) => core.sessionUp()),
    down: () => run((core) => core.sessionDown()),
    command: (command) => values.obey(command, (bare) => run((core) => core.command(bare)), eraseValues),
    contact: (sentAtMs) => run((core) => core.contact(sentAtMs - bootedAtMs)),
  };
}

function emptyJournal(random: SeededRandom): Journal {
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

function withEffects(before: Journal, effects: WorkerEffects): Journal {
  const meta = effects.meta ?? before.meta;
  if (effects.writes.size === 0) return { ...before, meta };
  const entries = new Map(before.entries);
  for (const [key, entry] of effects.writes) {
    if (entry === null) entries.delete(key);
    else entries.set(key, entry);
  }
  return { ...before, entries, meta };
}
