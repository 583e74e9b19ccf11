import type { CancelTimer, Clock } from '@oakestra/daemon';
import { sleep } from '@oakestra/daemon';
import type {
  Image,
  InstanceExit,
  InstanceLabels,
  InstanceSpec,
  InstanceState,
  RuntimeEvent,
} from '../runtime.ts';
import { runtimeUnavailable } from '../runtime-errors.ts';
import { signalOfStatus } from '../signals.ts';
import { commandPrograms, type FakeProgram, type FakePrograms, statusOfSignal } from './fake-program.ts';

/** The operations of the runtime port that can be made slow or fail. */
export type FakeOperation =
  | 'prepareImage'
  | 'create'
  | 'start'
  | 'list'
  | 'signal'
  | 'stop'
  | 'relabel'
  | 'remove'
  | 'stats';

export interface FakeMachineOptions {
  readonly clock: Clock;
  /** Default: `commandPrograms`. */
  readonly programs?: FakePrograms;
  /** How long every operation takes; default 0. Even then it ends in a later turn of the clock. */
  readonly latencyMs?: number | ((operation: FakeOperation) => number);
}

/** An instance as the machine has it. */
export interface FakeInstance {
  readonly spec: InstanceSpec;
  readonly image: Image;
  labels: InstanceLabels;
  state: InstanceState;
  /** How often its program began; more than 1 is a fault of whoever controls it. */
  starts: number;
  /** By the monotonic clock. */
  startedAtMs: number;
}

export interface ScriptedFailure {
  readonly error: Error;
  /** Default 1. */
  readonly times?: number;
  /** `after`: it is done and only the answer fails. Default `before`: nothing happens. */
  readonly when?: 'before' | 'after';
  /** Only for this instance. */
  readonly id?: string;
}

/**
 * What a fake runtime controls. It outlives `Runtime` objects as containers outlive a worker: a second object
 * over the same machine is the same worker after a restart.
 */
export interface FakeMachine {
  readonly clock: Clock;
  readonly instances: ReadonlyMap<string, FakeInstance>;
  /** What was written to a log so far. */
  log(path: string): string;
  /** The next operations of this kind fail. */
  fail(operation: FakeOperation, failure: ScriptedFailure): void;
  /** While `false` every operation fails as it does without a daemon, and events are lost; processes go on. */
  setAvailable(isAvailable: boolean): void;
  /** Ends a process as if it had done so by itself; nothing happens when it does not run. */
  end(id: string, exit: { readonly code: number; readonly isOutOfMemory?: boolean }): void;
  /** The host restarts: every process is gone, what was created stays, nobody is told. */
  reboot(): void;
  /** How an operation begins and ends; for the fake runtime. */
  operate<Result>(
    operation: FakeOperation,
    id: string,
    work: () => Promise<Result> | Result,
  ): Promise<Result>;
  readonly internals: FakeInternals;
}

/** The machine's own doings; for the fake runtime. */
interface FakeInternals {
  add(spec: InstanceSpec, image: Image): void;
  run(instance: FakeInstance): number;
  signal(instance: FakeInstance, signal: string): void;
  delete(id: string): void;
  watch(listener: (event: RuntimeEvent) => void): () => void;
  readonly isAvailable: boolean;
}

const firstPid = 1_000;

export function createFakeMachine(options: FakeMachineOptions): FakeMachine {
  const { clock, programs = commandPrograms, latencyMs = 0 } = options;
  const instances = new Map<string, FakeInstance>();
  const running = new Map<string, { readonly program: FakeProgram; timer?: CancelTimer }>();
  const logs = new Map<string, string>();
  const failures = new Map<FakeOperation, ScriptedFailure[]>();
  const watchers = new Set<(event: RuntimeEvent) => void>();
  let isAvailable = true;
  let nextPid = firstPid;

  const tell = (event: RuntimeEvent) => {
    for (const watcher of [...watchers]) clock.setTimer(0, () => watchers.has(watcher) && watcher(event));
  };

  const stopProcess = (id: string): void => {
    running.get(id)?.timer?.();
    running.delete(id);
  };

  const end = (id: string, ended: { readonly code: number; readonly isOutOfMemory?: boolean }): void => {
    const instance = instances.get(id);
    if (instance === undefined || !running.has(id)) return;
    stopProcess(id);
    const signal = signalOfStatus(ended.code);
    const exit: InstanceExit = {
      code: ended.code,
      ...(signal === undefined ? {} : { signal }),
      isOutOfMemory: ended.isOutOfMemory ?? false,
      atMs: clock.nowMs(),
    };
    instance.state = { kind: 'exited', exit };
    if (isAvailable) tell({ kind: 'exited', id, exit });
  };

  const endLater = (id: string, code: number, afterMs: number): void => {
    const process = running.get(id);
    if (process === undefined) return;
    process.timer?.();
    process.timer = clock.setTimer(afterMs, () => end(id, { code }));
  };

  const run = (instance: FakeInstance): number => {
    const { spec } = instance;
    const program = programs(spec);
    const pid = nextPid;
    nextPid += 1;
    instance.starts += 1;
    instance.startedAtMs = clock.monotonicMs();
    instance.state = { kind: 'running', pid };
    running.set(spec.id, { program });
    logs.set(spec.logPath, (logs.get(spec.logPath) ?? '') + (program.output ?? ''));
    const limitBytes = spec.memoryMib * 1024 * 1024;
    if (limitBytes > 0 && program.memoryBytes > limitBytes) {
      clock.setTimer(0, () => end(spec.id, { code: statusOfSignal('SIGKILL'), isOutOfMemory: true }));
    } else if (program.ends !== undefined) {
      endLater(spec.id, program.ends.code, program.ends.afterMs);
    }
    return pid;
  };

  const signal = ({ spec }: FakeInstance, name: string): void => {
    const process = running.get(spec.id);
    const status = statusOfSignal(name);
    if (process === undefined) return;
    if (name === 'SIGKILL') {
      end(spec.id, { code: status });
      return;
    }
    const answer = process.program.onSignal?.(name) ?? { code: status, afterMs: 0 };
    if (answer !== 'ignore') endLater(spec.id, answer.code, answer.afterMs);
  };

  const scripted = (operation: FakeOperation, id: string, when: 'before' | 'after'): void => {
    const list = failures.get(operation) ?? [];
    const index = list.findIndex(
      (failure) => (failure.when ?? 'before') === when && (failure.id ?? id) === id,
    );
    const failure = list[index];
    if (failure === undefined) return;
    const left = (failure.times ?? 1) - 1;
    list.splice(index, 1, ...(left > 0 ? [{ ...failure, times: left }] : []));
    throw failure.error;
  };

  return {
    clock,
    instances,
    end,
    log: (path) => logs.get(path) ?? '',
    fail(operation, failure) {
      failures.set(operation, [...(failures.get(operation) ?? []), failure]);
    },
    setAvailable(value) {
      if (value === isAvailable) return;
      isAvailable = value;
      tell(value ? { kind: 'available' } : { kind: 'unavailable', reason: 'the machine says so' });
    },
    reboot() {
      for (const [id, instance] of instances) {
        if (!running.has(id)) continue;
        stopProcess(id);
        const exit = { code: statusOfSignal('SIGKILL'), signal: 'SIGKILL', isOutOfMemory: false };
        instance.state = { kind: 'exited', exit: { ...exit, atMs: clock.nowMs() } };
      }
    },
    async operate(operation, id, work) {
      await sleep(clock, typeof latencyMs === 'number' ? latencyMs : latencyMs(operation));
      if (!isAvailable) throw runtimeUnavailable('the fake runtime', 'its machine');
      scripted(operation, id, 'before');
      const result = await work();
      scripted(operation, id, 'after');
      return result;
    },
    internals: {
      run,
      signal,
      add(spec, image) {
        instances.set(spec.id, {
          spec,
          image,
          labels: spec.labels,
          state: { kind: 'created' },
          starts: 0,
          startedAtMs: 0,
        });
      },
      delete(id) {
        end(id, { code: statusOfSignal('SIGKILL') });
        instances.delete(id);
      },
      watch(listener) {
        const own = (event: RuntimeEvent) => listener(event);
        watchers.add(own);
        return () => void watchers.delete(own);
      },
      get isAvailable() {
        return isAvailable;
      },
    },
  };
}
