/** Several callers that want the same thing at the same time get it from one piece of work. */
export interface SharedWork<Progress, Result> {
  /**
   * Joins the work that is under way for `key`, or starts it. A caller that aborts leaves; the last one to leave
   * aborts the work, and waits for its end.
   */
  join(key: string, options: JoinOptions<Progress, Result>): Promise<Result>;
  /** Aborts everything and waits for its end. */
  close(): Promise<void>;
}

interface JoinOptions<Progress, Result> {
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly start: (signal: AbortSignal, onProgress: (progress: Progress) => void) => Promise<Result>;
}

interface Work<Progress, Result> {
  readonly controller: AbortController;
  readonly listeners: Set<(progress: Progress) => void>;
  readonly result: Promise<Result>;
  users: number;
}

export function createSharedWork<Progress, Result>(): SharedWork<Progress, Result> {
  const running = new Map<string, Work<Progress, Result>>();

  const begin = (key: string, start: JoinOptions<Progress, Result>['start']): Work<Progress, Result> => {
    const controller = new AbortController();
    const listeners = new Set<(progress: Progress) => void>();
    const result = start(controller.signal, (progress) => {
      for (const listener of listeners) listener(progress);
    }).finally(() => {
      if (running.get(key) === work) running.delete(key);
    });
    // Callers that have left do not hear of its failure any more.
    result.catch(() => undefined);
    const work: Work<Progress, Result> = { controller, listeners, result, users: 0 };
    running.set(key, work);
    return work;
  };

  return {
    async join(key, { signal, onProgress, start }) {
      signal.throwIfAborted();
      const found = running.get(key);
      // Work that was given up is no use to a newcomer.
      const work = found === undefined || found.controller.signal.aborted ? begin(key, start) : found;
      work.users++;
      // Of its own, because two callers may give the same function.
      const listener = (progress: Progress): void => onProgress?.(progress);
      work.listeners.add(listener);
      let leave = (): void => undefined;
      const left = new Promise<'left'>((resolve) => {
        leave = () => resolve('left');
        signal.addEventListener('abort', leave, { once: true });
      });
      try {
        const first = await Promise.race([work.result.then((result) => ({ result })), left]);
        if (first !== 'left') return first.result;
        if (work.users === 1) {
          work.controller.abort(signal.reason);
          await work.result.catch(() => undefined);
        }
        throw signal.reason;
      } finally {
        work.users--;
        work.listeners.delete(listener);
        signal.removeEventListener('abort', leave);
      }
    },

    async close() {
      const all = [...running.values()];
      for (const { controller } of all) controller.abort(new Error('closed'));
      await Promise.allSettled(all.map(({ result }) => result));
    },
  };
}
