import { messageOf, OakestraError } from '@oakestra/contracts';
import { type Clock, type Logger, type Random, randomHex, sleep } from '@oakestra/daemon';
import { createLease, fencedStore, type Lease, type Store } from '@oakestra/store';
import { readLeaderCard, writeLeaderCard } from './leader-card.ts';

/** What a leader has, and only a leader: built when the lease is won, ended when it is lost. */
export interface Term {
  /** At once, without a word to anybody: another may lead already. `stop` follows. */
  halt(): void;
  /** In order, with goodbyes where there is time for them. */
  stop(): Promise<void>;
}

/** Who is to be asked for what only a leader does. */
export type Leader<T extends Term> =
  | { readonly kind: 'self'; readonly term: T }
  | {
      readonly kind: 'other';
      /** `host:port` of its door for other roots. */
      readonly address: string;
      /** It leads no more: nothing that it still says counts. */
      readonly ended: AbortSignal;
    };

/** Which of the roots on one store leads. */
export interface Leadership<T extends Term> {
  /** The term of this root, as long as it surely leads. */
  term(): T | undefined;
  /** Undefined while nobody can be asked. */
  leader(): Leader<T> | undefined;
  /** Waits until somebody can be asked; undefined when nobody can within this time. */
  settled(timeoutMs: number): Promise<Leader<T> | undefined>;
  stop(): Promise<void>;
}

/** The only root of its store leads from its start to its end. */
export async function leadAlone<T extends Term>(openTerm: () => Promise<T>): Promise<Leadership<T>> {
  const term = await openTerm();
  const leader: Leader<T> = { kind: 'self', term };
  return {
    term: () => term,
    leader: () => leader,
    settled: async () => leader,
    stop: () => term.stop(),
  };
}

export interface LeadershipOptions<T extends Term, Schema> {
  readonly store: Store<Schema>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Builds what a leader has. All that it changes goes through this store. */
  readonly openTerm: (fenced: Store<Schema>) => Promise<T>;
  /** See `createLease`. */
  readonly ttlMs?: number;
}

const LEASE = 'root-leader';
/** Between two tries to build a term. */
const RETRY_MS = 500;

/** The leadership among roots that share a store. */
export interface SharedLeadership<T extends Term> extends Leadership<T> {
  /** From now on this root asks for the lease as long as another has it. `address`: where others reach it, `host:port`. */
  join(address: string): void;
}

export function shareLeadership<T extends Term, Schema>(
  options: LeadershipOptions<T, Schema>,
): SharedLeadership<T> {
  const { store, clock, random, logger, openTerm } = options;
  const stopping = new AbortController();
  const waiting = new Set<() => void>();
  let current: { readonly fencing: number; readonly term: T } | undefined;
  let other: { readonly holder: string; readonly address: string; readonly end: AbortController } | undefined;
  let lease: Lease | undefined;
  /** Terms begin and end one after the other. */
  let work: Promise<void> = Promise.resolve();

  const wake = (): void => {
    for (const look of [...waiting]) look();
  };

  const meet = (holder: string | undefined): void => {
    if (holder === other?.holder) return;
    other?.end.abort(new Error('another root leads by now'));
    other = undefined;
    if (holder !== undefined) {
      try {
        const card = readLeaderCard(holder);
        other = { holder, address: card.address, end: new AbortController() };
        logger.info('another root leads', { address: card.address });
      } catch (error) {
        logger.error('the leader cannot be asked', { reason: messageOf(error) });
      }
    }
    wake();
  };

  const begin = async (own: Lease, fencing: number): Promise<void> => {
    while (own.fencingNumber === fencing && !stopping.signal.aborted) {
      try {
        const term = await openTerm(fencedStore(store, own, fencing));
        if (own.fencingNumber !== fencing || stopping.signal.aborted) {
          term.halt();
          await term.stop();
          return;
        }
        current = { fencing, term };
        logger.info('this root leads', { fencing });
        wake();
        return;
      } catch (error) {
        logger.error('this root should lead and cannot; tries again', { fencing, reason: messageOf(error) });
        await sleep(clock, RETRY_MS, stopping.signal).catch(() => {});
      }
    }
  };

  const end = (): void => {
    const ended = current;
    current = undefined;
    if (ended === undefined) return;
    ended.term.halt();
    work = work
      .then(() => ended.term.stop())
      .catch((error: unknown) => logger.warn('a term did not end in order', { reason: messageOf(error) }));
  };

  const leader = (): Leader<T> | undefined => {
    if (current !== undefined && lease?.fencingNumber === current.fencing) {
      return { kind: 'self', term: current.term };
    }
    if (other === undefined || lease?.holder !== other.holder) return undefined;
    return { kind: 'other', address: other.address, ended: other.end.signal };
  };

  return {
    join(address) {
      const own = createLease({
        ...{ store, clock, logger, name: LEASE },
        ...(options.ttlMs === undefined ? {} : { ttlMs: options.ttlMs }),
        holder: writeLeaderCard({ boot: randomHex(random, 8), address }),
        acquired(fencing) {
          meet(undefined);
          work = work.then(() => begin(own, fencing));
        },
        lost: end,
        seen: meet,
      });
      lease = own;
    },
    term() {
      const now = leader();
      return now?.kind === 'self' ? now.term : undefined;
    },
    leader,
    settled(timeoutMs) {
      const known = leader();
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve) => {
        const finish = (found: Leader<T> | undefined): void => {
          waiting.delete(look);
          cancelTimer();
          resolve(found);
        };
        const look = (): void => {
          const found = leader();
          if (found !== undefined || stopping.signal.aborted) finish(found);
        };
        const cancelTimer = clock.setTimer(timeoutMs, () => finish(undefined));
        waiting.add(look);
      });
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      wake();
      await work;
      const ending = current;
      // Requests that come now are for the next one.
      current = undefined;
      await ending?.term.stop();
      // Only now: as long as we hold it nobody else begins.
      await lease?.stop();
    },
  };
}

/**
 * A part of the term for those who outlive it. Using it while this root does not lead throws `not-leading`: a change
 * that was under way may have been stored or not.
 */
export function whileLeading<Part extends object>(part: () => Part | undefined): Part {
  return new Proxy({} as Part, {
    get(_target, name) {
      const found = part();
      if (found === undefined) throw notLeading();
      return Reflect.get(found, name);
    },
  });
}

export function notLeading(): OakestraError {
  return new OakestraError(
    'unavailable',
    'not-leading',
    'This root does not lead any more. A change may or may not have been stored: look at the state, then try again.',
  );
}
