import type { Clock } from './clock.ts';
import { withDeadline } from './deadline.ts';
import type { LifecyclePart, Stop } from './lifecycle.ts';
import type { Logger } from './logger.ts';

/** Takes note of how to end what was started. */
export interface Teardown {
  /** Later ones are ended earlier. What does not end in `timeoutMs` (default 1 s) is left behind. */
  add(name: string, stop: Stop, timeoutMs?: number): void;
}

export interface ComposedPartOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Starts the inner parts in order, each noted in `teardown` as soon as it has something to end. */
  readonly start: (teardown: Teardown, signal: AbortSignal) => Promise<void>;
}

const STEP_TIMEOUT_MS = 1000;

/**
 * A lifecycle part made of parts that know each other. It ends them in reverse, also after half a start; one that
 * fails or hangs is logged and keeps none of the others from ending.
 */
export function composedPart({ logger, clock, start }: ComposedPartOptions): LifecyclePart {
  return {
    async start(signal) {
      const steps: { readonly name: string; readonly stop: Stop; readonly timeoutMs: number }[] = [];
      const stopAll = async (): Promise<void> => {
        const unfinished: string[] = [];
        for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
          const { name, stop, timeoutMs } = step;
          try {
            await withDeadline(stop, { clock, timeoutMs, what: `stopping ${name}` });
          } catch (error) {
            logger.error('did not stop in order', { part: name, error });
            unfinished.push(name);
          }
        }
        if (unfinished.length > 0) throw new Error(`did not stop in order: ${unfinished.join(', ')}`);
      };
      const teardown: Teardown = {
        add: (name, stop, timeoutMs = STEP_TIMEOUT_MS) => void steps.push({ name, stop, timeoutMs }),
      };
      try {
        await start(teardown, signal);
      } catch (error) {
        // The failure of the start is what counts; those of the stop are logged.
        await stopAll().catch(() => {});
        throw error;
      }
      return stopAll;
    },
  };
}
