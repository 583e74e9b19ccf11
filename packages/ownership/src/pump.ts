/** A core as the pump drives it. `Effects` is what the core wants done after an event. */
export interface PumpedCore<Effects> {
  takeEffects(): Effects;
  tick(): void;
  nextDeadlineMs(): number | undefined;
}

export interface PumpOptions<Effects> {
  readonly core: PumpedCore<Effects>;
  readonly nowMs: () => number;
  readonly setTimer: (delayMs: number, action: () => void) => () => void;
  /** Must the effects be on disk before anyone hears of them? `none`: there is nothing to write. */
  readonly durabilityOf: (effects: Effects) => 'full' | 'normal' | 'none';
  /** Writes; calls back exactly once. Commits are asked for in order and become durable in order. */
  readonly commit: (effects: Effects, done: (error?: Error) => void) => void;
  /** Says and does what the effects ask for. */
  readonly deliver: (effects: Effects) => void;
  /** A write failed: memory is ahead of the disk, the owner must rebuild the core from its store. */
  readonly onCommitFailed: (error: Error) => void;
}

/**
 * Drives a core: every hop writes before it speaks. Effects are delivered in the order of their events;
 * what needs a full write waits for it, and so does everything after it. Observations are written without waiting.
 */
export interface Pump {
  /** Lets `event` change the core, then carries out what follows. `onDurable` is called when its writes are safe. */
  run(event: () => void, onDurable?: (error?: Error) => void): void;
  stop(): void;
}

export function createPump<Effects>(options: PumpOptions<Effects>): Pump {
  interface Entry {
    readonly effects: Effects;
    isDurable: boolean;
    readonly onDurable: ((error?: Error) => void) | undefined;
  }
  const queue: Entry[] = [];
  let cancelTimer: (() => void) | undefined;
  let timerAtMs = Number.POSITIVE_INFINITY;
  let isStopped = false;
  let isDelivering = false;

  const deliverReady = (): void => {
    if (isDelivering) return;
    isDelivering = true;
    try {
      while (!isStopped && queue[0]?.isDurable === true) {
        const entry = queue.shift() as Entry;
        options.deliver(entry.effects);
        entry.onDurable?.();
      }
    } finally {
      isDelivering = false;
    }
  };

  const fail = (error: Error): void => {
    if (isStopped) return;
    stop();
    for (const entry of queue.splice(0)) entry.onDurable?.(error);
    options.onCommitFailed(error);
  };

  const armTimer = (): void => {
    const nextMs = options.core.nextDeadlineMs();
    if (isStopped || nextMs === undefined || nextMs === timerAtMs) return;
    cancelTimer?.();
    timerAtMs = nextMs;
    cancelTimer = options.setTimer(Math.max(0, nextMs - options.nowMs()), () => {
      timerAtMs = Number.POSITIVE_INFINITY;
      cancelTimer = undefined;
      run(() => options.core.tick());
    });
  };

  const run: Pump['run'] = (event, onDurable) => {
    if (isStopped) {
      onDurable?.(new Error('stopped'));
      return;
    }
    event();
    const effects = options.core.takeEffects();
    const durability = options.durabilityOf(effects);
    const entry: Entry = { effects, isDurable: durability !== 'full', onDurable };
    queue.push(entry);
    if (durability !== 'none') {
      options.commit(effects, (error) => {
        if (error !== undefined) fail(error);
        else if (!entry.isDurable) {
          entry.isDurable = true;
          deliverReady();
        }
      });
    }
    deliverReady();
    armTimer();
  };

  const stop = (): void => {
    isStopped = true;
    cancelTimer?.();
    cancelTimer = undefined;
  };

  return { run, stop };
}
