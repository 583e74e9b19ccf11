import { messageOf, OakestraError } from '@oakestra/contracts';
import {
  type CancelTimer,
  type Clock,
  DeadlineError,
  type Logger,
  sleep,
  withDeadline,
} from '@oakestra/daemon';
import { createLeaseTable, type LeaseStore } from './lease-table.ts';
import type { ExpectingStatement } from './statement.ts';

const defaultTtlMs = 1_500;
/** A renewal may fail twice before the lease is lost. */
const renewalsPerTtl = 3;
const releaseTimeoutMs = 1_000;

export interface LeaseOptions {
  readonly store: LeaseStore;
  /** What is led. One lease per name in a process. */
  readonly name: string;
  /** Who asks; different in every process that shares the store. The same one takes its own lease back at once. */
  readonly holder: string;
  /**
   * A lease that is not renewed for so long may be taken. Another takes over within 4/3 of it. Default 1,500. The
   * clocks of the processes need not agree: only that of the database counts.
   */
  readonly ttlMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From now on we lead; `fencingNumber` is greater than that of everybody who led before. */
  readonly acquired?: (fencingNumber: number) => void;
  /** From now on another may lead; nothing that needs the lease may be begun. It is asked for again at once. */
  readonly lost?: () => void;
  /** Another was looked for: who holds the lease, undefined when nobody does. */
  readonly seen?: (holder: string | undefined) => void;
}

/** The right to lead among the processes that share a store, asked for as long as it is not held. */
export interface Lease {
  readonly isHeld: boolean;
  /** Undefined while it is not held by us. */
  readonly fencingNumber: number | undefined;
  /** Who holds it, we or another, as far as that is known to be so at this moment. */
  readonly holder: string | undefined;
  /**
   * A statement for each batch that only a leader may write: the whole batch fails (`store-expectation`) when the
   * lease was taken by another meanwhile, however late the batch arrives. Throws `lease-not-held`.
   */
  fencing(): ExpectingStatement;
  /** Asks the database whether we still hold it, after a batch failed. */
  confirm(): Promise<boolean>;
  /** Stops asking and lets go, so that another leads at once. */
  stop(): Promise<void>;
}

interface Held {
  readonly fencing: number;
  /** By the monotonic clock, from before the request was sent: never later than in the database. */
  readonly untilMs: number;
}

/** Asks for the lease until it is stopped. In a store that is not shared it is granted and lasts until the end. */
export function createLease(options: LeaseOptions): Lease {
  const { store, name, holder, ttlMs = defaultTtlMs, clock, logger, acquired, lost } = options;
  const table = createLeaseTable(store, name);
  const isShared = store.capabilities.sharedByProcesses;
  const intervalMs = ttlMs / renewalsPerTtl;
  const stopping = new AbortController();
  let held: Held | undefined;
  /** Another, until then. */
  let other: { readonly holder: string; readonly untilMs: number } | undefined;
  let cancelExpiry: CancelTimer = () => {};
  let isReady = false;
  let complained: string | undefined;

  function current(): Held | undefined {
    return held !== undefined && clock.monotonicMs() < held.untilMs ? held : undefined;
  }

  function keep(fencing: number, sentMs: number): void {
    const isNew = held?.fencing !== fencing;
    held = { fencing, untilMs: isShared ? sentMs + ttlMs : Number.POSITIVE_INFINITY };
    cancelExpiry();
    if (isShared) {
      cancelExpiry = clock.setTimer(Math.max(0, held.untilMs - clock.monotonicMs()), () => {
        lose(fencing, 'it was not renewed in time');
      });
    }
    other = undefined;
    if (isNew && !stopping.signal.aborted) {
      logger.info('leads', { lease: name, fencing });
      acquired?.(fencing);
    }
  }

  function lose(fencing: number, reason: string): void {
    if (held?.fencing !== fencing) {
      return;
    }
    held = undefined;
    cancelExpiry();
    logger.warn('leads no more', { lease: name, fencing, reason });
    lost?.();
  }

  async function renew(fencing: number): Promise<void> {
    const sentMs = clock.monotonicMs();
    try {
      await store.commit([table.renew(fencing, ttlMs)], { durability: 'normal' });
    } catch (error) {
      if (isRefusal(error)) {
        lose(fencing, 'another has it');
        return;
      }
      throw error;
    }
    // It may have been given up while the answer was on its way.
    if (held?.fencing === fencing) {
      keep(fencing, sentMs);
    }
  }

  /** Returns how long another has it still. */
  async function ask(): Promise<number> {
    if (!isReady) {
      await table.create();
      isReady = true;
    }
    const readMs = clock.monotonicMs();
    const seen = await table.read();
    const isOthers = seen !== undefined && seen.holder !== holder && seen.remainingMs > 0;
    other = isOthers ? { holder: seen.holder, untilMs: readMs + seen.remainingMs } : undefined;
    options.seen?.(other?.holder);
    if (isShared && isOthers) {
      return seen.remainingMs;
    }
    const sentMs = clock.monotonicMs();
    const take = table.take(seen, holder, isShared ? ttlMs : undefined);
    try {
      await store.commit([take], { durability: 'full' });
    } catch (error) {
      if (isRefusal(error)) {
        return ttlMs;
      }
      throw error;
    }
    keep((seen?.fencing ?? 0) + 1, sentMs);
    return intervalMs;
  }

  async function step(): Promise<number> {
    try {
      const waitMs = held === undefined ? await ask() : await renew(held.fencing).then(() => intervalMs);
      complained = undefined;
      return Math.min(intervalMs, Math.max(1, waitMs));
    } catch (error) {
      const reason = messageOf(error);
      if (complained !== reason) {
        complained = reason;
        logger.warn('cannot ask for the lease; tries again', { lease: name, reason });
      }
      return intervalMs;
    }
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      const waitMs = await step();
      if (held !== undefined && !isShared) {
        return;
      }
      await sleep(clock, waitMs, stopping.signal).catch(() => {});
    }
  }

  async function release(): Promise<void> {
    await working;
    const { fencing } = held ?? {};
    if (fencing === undefined) {
      return;
    }
    held = undefined;
    cancelExpiry();
    if (isShared) {
      await store.commit([table.release(fencing)], { durability: 'normal' }).catch((error: unknown) => {
        logger.debug('the lease was not released; it expires', { lease: name, reason: messageOf(error) });
      });
    }
  }

  const working = work();
  let stopped: Promise<void> | undefined;

  return {
    get isHeld() {
      return current() !== undefined;
    },
    get fencingNumber() {
      return current()?.fencing;
    },
    get holder() {
      if (current() !== undefined) {
        return holder;
      }
      return other !== undefined && clock.monotonicMs() < other.untilMs ? other.holder : undefined;
    },
    fencing() {
      const now = current();
      if (now === undefined) {
        throw new OakestraError(
          'conflict',
          'lease-not-held',
          `This process does not lead (${name}). Ask the one that does, or wait until this one does.`,
        );
      }
      return table.hold(now.fencing);
    },
    async confirm() {
      const now = current();
      if (now === undefined) {
        return false;
      }
      const row = await table.read();
      if (row?.fencing !== now.fencing) {
        lose(now.fencing, 'another has it');
      }
      return current()?.fencing === now.fencing;
    },
    stop() {
      stopping.abort();
      stopped ??= withDeadline(release, {
        clock,
        timeoutMs: releaseTimeoutMs,
        what: 'releasing a lease',
      }).catch((error: unknown) => {
        if (!(error instanceof DeadlineError)) {
          throw error;
        }
        logger.warn('the lease was not released in time; it expires', { lease: name });
      });
      return stopped;
    },
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof OakestraError && error.code === 'store-expectation';
}
