import { pathToFileURL } from 'node:url';
import type { Clock } from '@oakestra/daemon';
import { sleep } from '@oakestra/daemon';
import { isRuntimeError } from '../runtime-errors.ts';
import {
  type ContainerdConnection,
  isContainerdNotFound,
  isContainerdPrecondition,
} from './containerd-connection.ts';
import type { Process } from './gen/containerd/task-types.gen.ts';
import { TasksDefinition } from './gen/containerd/tasks.gen.ts';
import type { Mount } from './gen/containerd/types.gen.ts';

/** The calls about tasks (the processes of containers) with the patience and the repetitions that each needs. */
export interface TaskCalls {
  /** Makes the process and stops right before the program; both outputs are appended to the file. */
  create(containerId: string, rootfs: readonly Mount[], logPath: string): Promise<number>;
  /** Runs the program. */
  start(containerId: string): Promise<number>;
  /** `undefined`: there is no task. */
  get(containerId: string): Promise<Process | undefined>;
  list(): Promise<readonly Process[]>;
  /** False when no process is there to receive it. */
  kill(containerId: string, signal: number): Promise<boolean>;
  /** False when the process still runs after `timeoutMs`. Outlasts a restart of containerd. */
  waitForEnd(containerId: string, timeoutMs: number): Promise<boolean>;
  /** Removes the task, ending its processes where needed; false when a process does not end. */
  remove(containerId: string, options: { readonly hasEnded: boolean }): Promise<boolean>;
}

/** Creating, starting and deleting run programs; on a busy edge device that takes its time. */
const workTimeoutMs = 60_000;
const killSignal = 9;
/** How long a process may take to end after SIGKILL. */
export const killPatienceMs = 10_000;
const retryPauseMs = 200;
const deadlineMarginMs = 30_000;
const mostRemoveAttempts = 5;

export function createTaskCalls(connection: ContainerdConnection, clock: Clock): TaskCalls {
  const patient = { timeoutMs: workTimeoutMs };

  const kill = async (containerId: string, signal: number): Promise<boolean> => {
    try {
      await connection.unary(TasksDefinition, 'kill', { containerId, signal, all: signal === killSignal });
      return true;
    } catch (error) {
      if (isContainerdNotFound(error)) return false;
      throw error;
    }
  };

  const waitForEnd = async (containerId: string, timeoutMs: number): Promise<boolean> => {
    const untilMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) return false;
      // Not a deadline of the call: the shim would answer that with an error of its own, sometimes first.
      const patience = new AbortController();
      const cancelTimer = clock.setTimer(leftMs, () => patience.abort());
      try {
        const options = { timeoutMs: leftMs + deadlineMarginMs, signal: patience.signal };
        await connection.unary(TasksDefinition, 'wait', { containerId }, options);
        return true;
      } catch (error) {
        if (isContainerdNotFound(error)) return true;
        if (patience.signal.aborted) return false;
        if (!isRuntimeError(error, 'runtime-unavailable') || leftMs <= retryPauseMs) throw error;
        await sleep(clock, retryPauseMs);
      } finally {
        cancelTimer();
      }
    }
  };

  const removeOnce = async (containerId: string, hasEnded: boolean): Promise<boolean> => {
    if (!hasEnded && (await kill(containerId, killSignal))) {
      if (!(await waitForEnd(containerId, killPatienceMs))) return false;
    }
    await connection.unary(TasksDefinition, 'delete', { containerId }, patient);
    return true;
  };

  return {
    kill,
    waitForEnd,
    async create(containerId, rootfs, logPath) {
      const output = logPath === '' ? '' : pathToFileURL(logPath).href;
      const request = { containerId, rootfs: [...rootfs], stdout: output, stderr: output };
      return (await connection.unary(TasksDefinition, 'create', request, patient)).pid;
    },
    async start(containerId) {
      return (await connection.unary(TasksDefinition, 'start', { containerId }, patient)).pid;
    },
    async get(containerId) {
      try {
        return (await connection.unary(TasksDefinition, 'get', { containerId })).process;
      } catch (error) {
        if (isContainerdNotFound(error)) return undefined;
        throw error;
      }
    },
    async list() {
      return (await connection.unary(TasksDefinition, 'list', {})).tasks;
    },
    async remove(containerId, { hasEnded }) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await removeOnce(containerId, hasEnded && attempt === 1);
        } catch (error) {
          if (isContainerdNotFound(error)) return true;
          // A shim that is just going away answers with an error of its own for a moment.
          const isLast = attempt >= mostRemoveAttempts;
          if (isRuntimeError(error, 'runtime-unavailable') || isLast) throw error;
          if (!isContainerdPrecondition(error)) await sleep(clock, retryPauseMs);
        }
      }
    },
  };
}
