import { messageOf } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';

/** Work that nobody waits for, until everything stops. */
export interface Background {
  /** A failure is logged and goes no further. False when everything has stopped: the work is not done then. */
  start(what: string, work: (signal: AbortSignal) => Promise<void>): boolean;
  /** Asks all work to end and waits for it. Idempotent; later work is not started. */
  stop(): Promise<void>;
}

export function createBackground(logger: Logger): Background {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  return {
    start(what, work) {
      if (stopping.signal.aborted) return false;
      const task = work(stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted) logger.warn(`${what} failed`, { reason: messageOf(error) });
      });
      running.add(task);
      task.finally(() => running.delete(task));
      return true;
    },
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}
