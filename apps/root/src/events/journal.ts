import { messageOf } from '@oakestra/contracts';
import type { EventKind } from '@oakestra/contracts/api';
import type { Clock, Logger } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import type { EventsSchema } from './schema.ts';

export interface NewEvent {
  readonly kind: EventKind;
  readonly ownerUserId: string;
  /** In which its application is shared; see `EventSharing`. */
  readonly organisationId?: string | undefined;
  readonly serviceId?: string | undefined;
  readonly number?: number | undefined;
  readonly clusterId?: string | undefined;
  readonly status?: string | undefined;
  readonly detail: string;
}

export interface JournalEvent extends NewEvent {
  /** Rises by one with each event of this journal. */
  readonly seq: number;
  readonly atMs: number;
}

/**
 * What happened, in order: kept for a while, and told to those who watch. Observations, not intents: the last ones
 * before a power failure may be missing.
 */
export interface EventJournal {
  /** Names the numbers: another life of the store counts anew. */
  readonly life: string;
  add(event: NewEvent): void;
  /** Those after `seq`, oldest first; undefined: some of them are not kept any more. */
  after(seq: number, limit: number): Promise<readonly JournalEvent[] | undefined>;
  /** Newest first, below `seq` when it is given. */
  historyOf(
    instance: { readonly serviceId: string; readonly number: number },
    page: { readonly belowSeq?: number | undefined; readonly limit: number },
  ): Promise<readonly JournalEvent[]>;
  lastSeq(): number;
  /** Calls back for each event from now on; the result stops that. */
  watch(listener: (event: JournalEvent) => void): () => void;
  /** Aborts with `stop`: nothing comes any more. */
  readonly ended: AbortSignal;
  /** Writes what is waiting. */
  stop(): Promise<void>;
}

/** Events that are kept; a quarter more may be there between two clearings. */
const KEPT = 100_000;
const CLEAR_EVERY = KEPT / 4;
/** What happens within this time is written together. */
const WRITE_AFTER_MS = 50;
/** More than this waits only when the store is ill: the oldest are given up. */
const MOST_WAITING = 10_000;

/** The last number of a journal that ended in order. */
const WHOLE_KEY = 'events.whole-until';

export async function openEventJournal(options: {
  readonly store: Store<EventsSchema>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly kept?: number;
}): Promise<EventJournal> {
  const { store, clock, logger, kept = KEPT } = options;
  const { db } = store;
  const listeners = new Set<(event: JournalEvent) => void>();
  const newest = await db.selectFrom('events').select('seq').orderBy('seq', 'desc').executeTakeFirst();
  const newestSeq = Number(newest?.seq ?? 0);
  const isWhole = newestSeq === Number((await store.meta.get(WHOLE_KEY)) ?? 0);
  // Otherwise some numbers may have been told and never written: nobody gets them a second time.
  let last = isWhole ? newestSeq : newestSeq + MOST_WAITING;
  let waiting: JournalEvent[] = [];
  let writing: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  let sinceClearing = 0;
  const ending = new AbortController();

  const writeOnce = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const statements = batch.map((event) => db.insertInto('events').values(rowOf(event)));
    sinceClearing += batch.length;
    const isFull = sinceClearing >= Math.min(CLEAR_EVERY, kept / 4);
    if (isFull) sinceClearing = 0;
    await store
      .commit([...statements, ...(isFull ? [db.deleteFrom('events').where('seq', '<=', last - kept)] : [])], {
        durability: 'normal',
      })
      .catch((error: unknown) => {
        logger.warn('events could not be kept', { events: batch.length, reason: messageOf(error) });
      });
  };

  const flush = (): Promise<void> => {
    cancelTimer?.();
    cancelTimer = undefined;
    // One after the other, so that the table never has a gap that fills later.
    writing = (writing ?? Promise.resolve()).then(writeOnce);
    return writing;
  };

  return {
    life: store.incarnation.slice(0, 8),
    add(event) {
      last += 1;
      const complete = { ...event, seq: last, atMs: clock.nowMs() };
      waiting.push(complete);
      if (waiting.length > MOST_WAITING) waiting.shift();
      cancelTimer ??= clock.setTimer(WRITE_AFTER_MS, () => void flush());
      for (const listener of listeners) listener(complete);
    },
    async after(seq, limit) {
      const lastNow = last;
      if (seq > lastNow || seq < 0) return undefined;
      await flush();
      const rows = await db
        .selectFrom('events')
        .selectAll()
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(limit)
        .execute();
      const isGap = rows.length === 0 ? seq < lastNow : Number(rows[0]?.seq) > seq + 1;
      return isGap ? undefined : rows.map(eventOf);
    },
    async historyOf({ serviceId, number }, { belowSeq, limit }) {
      await flush();
      let query = db
        .selectFrom('events')
        .selectAll()
        .where('service_id', '=', serviceId)
        .where('instance_number', '=', number);
      if (belowSeq !== undefined) query = query.where('seq', '<', belowSeq);
      return (await query.orderBy('seq', 'desc').limit(limit).execute()).map(eventOf);
    },
    lastSeq: () => last,
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    ended: ending.signal,
    async stop() {
      ending.abort(new Error('the journal ended'));
      await flush();
      await store.meta
        .set(WHOLE_KEY, String(last), { durability: 'normal' })
        .catch((error: unknown) => logger.debug('the end of the journal was not noted', { error }));
    },
  };
}

type Row = EventsSchema['events'];

function rowOf(event: JournalEvent): Row {
  return {
    seq: event.seq,
    at_ms: event.atMs,
    kind: event.kind,
    owner_user_id: event.ownerUserId,
    organisation_id: event.organisationId ?? null,
    service_id: event.serviceId ?? null,
    instance_number: event.number ?? null,
    cluster_id: event.clusterId ?? null,
    status: event.status ?? null,
    detail: event.detail,
  };
}

function eventOf(row: Row): JournalEvent {
  return {
    seq: Number(row.seq),
    atMs: Number(row.at_ms),
    kind: row.kind as EventKind,
    ownerUserId: row.owner_user_id,
    organisationId: row.organisation_id ?? undefined,
    serviceId: row.service_id ?? undefined,
    number: row.instance_number === null ? undefined : Number(row.instance_number),
    clusterId: row.cluster_id ?? undefined,
    status: row.status ?? undefined,
    detail: row.detail,
  };
}
