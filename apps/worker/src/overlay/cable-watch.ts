import { access } from 'node:fs/promises';
import { type Clock, sleep } from '@oakestra/daemon';
import type { NetworkStep } from '@oakestra/netplan';
import type { Background } from './background.ts';
import { executeSteps, type NetworkTools } from './execute-steps.ts';

/** The kernel takes cables down in the background, after the namespace; usually within a tenth of a second. */
const LONGEST_GOODBYE_MS = 2_000;
const LOOK_EVERY_MS = 50;

/**
 * Watches cables of deleted namespaces go. Deleting them directly would cost tens of milliseconds each, one after
 * the other; the kernel does it for many at once.
 */
export interface CableWatch {
  /** Call when the namespace of a cable was deleted; a cable that stays is deleted after a while. */
  expectGone(hostInterface: string): void;
  /** What to do before a cable of this name is made: nothing, unless the old one may still be there. */
  stepsBefore(hostInterface: string): NetworkStep[];
}

export function createCableWatch(options: {
  readonly clock: Clock;
  readonly background: Background;
  readonly tools: NetworkTools;
}): CableWatch {
  const { clock, background, tools } = options;
  /** The watch that counts, by cable. */
  const leaving = new Map<string, symbol>();

  const watch = async (name: string, turn: symbol, signal: AbortSignal): Promise<void> => {
    const deadlineMs = clock.monotonicMs() + LONGEST_GOODBYE_MS;
    while (leaving.get(name) === turn && (await interfaceExists(name))) {
      if (clock.monotonicMs() >= deadlineMs) {
        // A process keeps the namespace alive; without its cable it is at least cut off.
        if (leaving.get(name) === turn)
          await executeSteps([{ kind: 'delete-interface', name }], tools, signal);
        break;
      }
      await sleep(clock, LOOK_EVERY_MS, signal);
    }
    if (leaving.get(name) === turn) leaving.delete(name);
  };

  return {
    expectGone(name) {
      const turn = Symbol(name);
      leaving.set(name, turn);
      background.start('removing the cable of an instance', (signal) => watch(name, turn, signal));
    },
    stepsBefore(name) {
      return leaving.delete(name) ? [{ kind: 'delete-interface', name }] : [];
    },
  };
}

/** Asks by network namespace of this thread; `/sys/class/net` shows that of whoever mounted it. */
function interfaceExists(name: string): Promise<boolean> {
  return access(`/proc/sys/net/ipv4/conf/${name}`).then(
    () => true,
    () => false,
  );
}
