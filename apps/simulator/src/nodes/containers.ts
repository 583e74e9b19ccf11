import type { InstanceKey, ServiceDocument } from '@oakestra/contracts';
import { compareEpochs } from '@oakestra/contracts';
import { policyOf } from '@oakestra/ownership';
import type { InstanceAction, InstanceEntry, WorkerCore } from '@oakestra/worker';
import type { Watch } from '../judge/watch.ts';
import type { SeededRandom } from '../virtual/random.ts';
import type { VirtualTime } from '../virtual/time.ts';
import type { Container } from './container.ts';

/** How a step of the executor ended. */
export type ActionResult = Parameters<WorkerCore['finished']>[2];

/** How much may go wrong with containers. */
export interface ContainerFaults {
  readonly startFails: number;
  readonly ends: number;
  /** Of a one-shot. */
  readonly jobFails: number;
  readonly isStubborn: number;
}

export const CONTAINER_FAULTS: ContainerFaults = {
  startFails: 0.05,
  ends: 0.03,
  jobFails: 0.3,
  isStubborn: 0.05,
};
export const NO_CONTAINER_FAULTS: ContainerFaults = { startFails: 0, ends: 0, jobFails: 0, isStubborn: 0 };

/** The container runtime of a machine: outlives the worker process, not the machine. */
export interface Containers {
  readonly all: ReadonlyMap<InstanceKey, Container>;
  execute(action: InstanceAction): void;
  /** What the worker process had under way is over. */
  abandon(): void;
  /** The machine lost its power. */
  clear(): void;
  calm(): void;
}

export interface ContainersOptions {
  readonly workerId: string;
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly watch: Watch;
  readonly faults: ContainerFaults;
  /** Are the values there that the document refers to? */
  readonly hasValues: (document: ServiceDocument) => boolean;
  readonly onFinished: (key: InstanceKey, attempt: number, result: ActionResult) => void;
  readonly onExited: (key: InstanceKey, code: number) => void;
}

export function createContainers(options: ContainersOptions): Containers {
  const { workerId, time, random, watch } = options;
  let { faults } = options;
  const all = new Map<InstanceKey, Container>();
  /** The newest attempt of each instance: a real executor runs them one after the other. */
  const attempts = new Map<InstanceKey, number>();
  let life = 0;

  const within = (delayMs: number, action: () => void): void => {
    const mine = life;
    time.after(delayMs, () => {
      if (mine === life) action();
    });
  };

  const finish = (action: { key: InstanceKey; attempt: number }, result: ActionResult): void =>
    options.onFinished(action.key, action.attempt, result);

  const exit = (key: InstanceKey, container: Container, code: number): void => {
    if (all.get(key) !== container || !container.isRunning) return;
    container.isRunning = false;
    container.exitCode = code;
    watch.ended(workerId, key, code);
    options.onExited(key, code);
  };

  const fate = (key: InstanceKey, container: Container): void => {
    if (policyOf(container.document).isOneShot) {
      const code = random.chance(faults.jobFails) ? 1 : 0;
      time.after(500 + random.below(3000), () => exit(key, container, code));
    } else if (random.chance(faults.ends)) {
      time.after(500 + random.below(5000), () => exit(key, container, 1));
    }
  };

  const create = (entry: InstanceEntry): Container => ({
    epoch: entry.epoch,
    document: entry.document,
    ownerUserId: entry.ownerUserId,
    isStubborn: random.chance(faults.isStubborn),
    isRunning: true,
    exitCode: 0,
  });

  const start = (action: Extract<InstanceAction, { kind: 'start' }>): void => {
    const { key, entry } = action;
    if (all.get(key)?.isRunning === true) watch.violation(`${workerId} starts ${key} over a running one`);
    all.delete(key);
    within(40 + random.below(300), () => {
      if (attempts.get(key) !== action.attempt) return;
      if (!options.hasValues(entry.document) || random.chance(faults.startFails)) {
        finish(action, { kind: 'start-failed', detail: 'simulated' });
        return;
      }
      const container = create(entry);
      all.set(key, container);
      watch.runs(workerId, key, container);
      fate(key, container);
      within(random.below(20), () => finish(action, { kind: 'started' }));
    });
  };

  const remove = (action: Extract<InstanceAction, { kind: 'remove' }>): void => {
    const { key, entry } = action;
    const container = all.get(key);
    if (container?.isRunning === true) watch.stops(workerId, key, container, entry);
    const isSlow = container?.isRunning === true && container.isStubborn;
    const stopMs = isSlow ? action.graceMs : 10 + random.below(200);
    within(stopMs, () => {
      if (all.get(key)?.isRunning === true) watch.ended(workerId, key);
      all.delete(key);
      within(random.below(20), () => finish(action, { kind: 'removed' }));
    });
  };

  const relabel = ({ key, entry }: Extract<InstanceAction, { kind: 'relabel' }>): void => {
    within(5, () => {
      const container = all.get(key);
      if (container === undefined || compareEpochs(entry.epoch, container.epoch) <= 0) return;
      container.epoch = entry.epoch;
      if (container.isRunning) watch.runs(workerId, key, container);
    });
  };

  return {
    all,
    execute(action) {
      switch (action.kind) {
        case 'start':
          attempts.set(action.key, action.attempt);
          start(action);
          break;
        case 'remove':
          attempts.set(action.key, action.attempt);
          remove(action);
          break;
        case 'relabel':
          relabel(action);
          break;
      }
    },
    abandon() {
      life += 1;
      attempts.clear();
    },
    clear() {
      for (const [key, container] of all) if (container.isRunning) watch.ended(workerId, key);
      all.clear();
    },
    calm() {
      faults = { ...NO_CONTAINER_FAULTS };
    },
  };
}
