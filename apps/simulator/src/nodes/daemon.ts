import type { Pump, PumpedCore } from '@oakestra/ownership';
import type { VirtualDisk } from '../virtual/disk.ts';
import type { VirtualTime } from '../virtual/time.ts';
import type { Parts } from './parts.ts';

export interface DaemonOptions<Core extends PumpedCore<Effects>, Effects, Content> {
  readonly time: VirtualTime;
  readonly disk: VirtualDisk<Content>;
  readonly createPump: Parts['createPump'];
  /** Written before the core is built: the count of starts. */
  readonly begin: (content: Content) => Content;
  readonly build: (content: Content) => Core;
  readonly started: (core: Core) => void;
  readonly durabilityOf: (effects: Effects) => 'full' | 'normal' | 'none';
  readonly apply: (before: Content, effects: Effects) => Content;
  readonly deliver: (effects: Effects) => void;
  /** Tells the core that its event loop stood still. */
  readonly wasLate: (core: Core, lateMs: number) => void;
  /** All connections of the process end. */
  readonly drop: () => void;
}

/** The process of a tier with a store, driven as the product's engines drive theirs. */
export interface Daemon<Core> {
  core(): Core | undefined;
  isResponsive(): boolean;
  start(): void;
  /** Ends at once; what was not synced may be lost. */
  crash(): void;
  /** The event loop stands still; what arrives waits. */
  stall(durationMs: number): void;
  /** A stall ends now. */
  wake(): void;
  /** Lets an event change the core. False: nobody is there to take it. */
  run(event: (core: Core) => void, onDurable?: (error?: Error) => void): boolean;
  /** The same for events that change nothing that would have to be written or said. */
  touch(event: (core: Core) => void): void;
}

const REBUILD_MS = 500;

export function createDaemon<Core extends PumpedCore<Effects>, Effects, Content>(
  options: DaemonOptions<Core, Effects, Content>,
): Daemon<Core> {
  const { time, disk } = options;
  let running: { readonly core: Core; readonly pump: Pump } | undefined;
  let isStarting = false;
  /** Events of an earlier life of the process are ignored. */
  let life = 0;
  let stalledSinceMs: number | undefined;
  let stalledUntilMs = 0;
  let backlog: (() => void)[] = [];

  const whenAwake = (action: () => void): void => {
    if (stalledSinceMs === undefined) {
      action();
      return;
    }
    const mine = life;
    backlog.push(() => {
      if (mine === life) action();
    });
  };

  const begin = (): void => {
    isStarting = true;
    life += 1;
    const mine = life;
    disk.commit(options.begin, 'full', (error) => {
      if (mine !== life) return;
      if (error === undefined) build();
      else time.after(REBUILD_MS, () => mine === life && begin());
    });
  };

  const build = (): void => {
    isStarting = false;
    const mine = life;
    const core = options.build(disk.read());
    const pump = options.createPump<Effects>({
      core,
      nowMs: time.nowMs,
      setTimer: (delayMs, action) => {
        let isCancelled = false;
        const cancel = time.after(delayMs, () => whenAwake(() => isCancelled || action()));
        return () => {
          isCancelled = true;
          cancel();
        };
      },
      durabilityOf: options.durabilityOf,
      commit: (effects, done) =>
        disk.commit(
          (before) => options.apply(before, effects),
          options.durabilityOf(effects) === 'full' ? 'full' : 'normal',
          (error) => whenAwake(() => done(error)),
        ),
      deliver: options.deliver,
      // Memory is ahead of the disk: go back to what it has, as if the process had started again.
      onCommitFailed() {
        if (mine !== life) return;
        running = undefined;
        options.drop();
        time.after(REBUILD_MS, () => {
          if (mine !== life) return;
          disk.crash();
          begin();
        });
      },
    });
    running = { core, pump };
    options.started(core);
    pump.run(() => core.tick());
  };

  const wake = (): void => {
    if (stalledSinceMs === undefined || running === undefined) return;
    const lateMs = time.nowMs() - stalledSinceMs;
    stalledSinceMs = undefined;
    stalledUntilMs = 0;
    const { core, pump } = running;
    pump.run(() => options.wasLate(core, lateMs));
    const waiting = backlog;
    backlog = [];
    for (const action of waiting) action();
  };

  return {
    core: () => running?.core,
    isResponsive: () => running !== undefined && stalledSinceMs === undefined,
    start() {
      if (running === undefined && !isStarting) begin();
    },
    crash() {
      running?.pump.stop();
      running = undefined;
      isStarting = false;
      life += 1;
      backlog = [];
      stalledSinceMs = undefined;
      stalledUntilMs = 0;
      disk.crash();
    },
    stall(durationMs) {
      if (running === undefined || stalledSinceMs !== undefined) return;
      const mine = life;
      stalledSinceMs = time.nowMs();
      stalledUntilMs = time.nowMs() + durationMs;
      time.after(durationMs, () => {
        if (mine === life && time.nowMs() >= stalledUntilMs) wake();
      });
    },
    wake,
    run(event, onDurable) {
      if (running === undefined) return false;
      const { core, pump } = running;
      whenAwake(() => pump.run(() => event(core), onDurable));
      return true;
    },
    touch(event) {
      if (running === undefined) return;
      const { core } = running;
      whenAwake(() => event(core));
    },
  };
}
