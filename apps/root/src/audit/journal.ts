import { messageOf } from '@oakestra/contracts';
import { type Clock, isSecretName, type Logger, type Random, redactText } from '@oakestra/daemon';
import type { Statement, Store } from '@oakestra/store';
import type { AuditDetails, AuditEntry, AuditEvent, AuditOutcome } from './entry.ts';
import { createEntryIds } from './entry-ids.ts';
import type { AuditSchema } from './schema.ts';

/** What every room gets to write the journal. */
export interface AuditWriter {
  /** The entry as a statement, for the batch of the change that it tells of: both are stored or neither. */
  entry(event: AuditEvent): Statement;
  /** An entry of its own, for what changes nothing. Never rejects: that it was not stored is logged. */
  record(event: AuditEvent): Promise<void>;
}

export interface AuditQuery {
  /** Name of the user who did it. */
  readonly userName?: string;
  readonly action?: string;
  readonly object?: { readonly kind: string; readonly id?: string };
  /** Inclusive, Unix milliseconds. */
  readonly fromMs?: number;
  /** Exclusive. */
  readonly untilMs?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
  /** Default 100, at most 500. */
  readonly limit?: number;
}

export interface AuditPage {
  /** Newest first. */
  readonly entries: readonly AuditEntry[];
  /** Absent on the last page. */
  readonly next?: string;
}

/** Who did what, when, from where, with what outcome. Entries are added and, when there are too many, dropped. */
export interface AuditJournal extends AuditWriter {
  read(query?: AuditQuery): Promise<AuditPage>;
  /** Resolves when what was recorded is stored and no clean-up runs. */
  settled(): Promise<void>;
}

export interface AuditJournalOptions {
  readonly store: Store<AuditSchema>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How many entries are kept. Default 100,000. */
  readonly mostEntries?: number;
  /** How many of what was refused or failed: a flood of it must not push out the rest. Default 20,000. */
  readonly mostRefusals?: number;
  /** How many new entries may come between two clean-ups. Default 1,000. */
  readonly pruneEvery?: number;
}

type Row = AuditSchema['audit_entries'];

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 500;
const LONGEST_TEXT = 512;

export async function openAuditJournal(options: AuditJournalOptions): Promise<AuditJournal> {
  const { store, clock, random, logger, mostEntries = 100_000, mostRefusals = 20_000 } = options;
  const { pruneEvery = 1_000 } = options;
  const { db } = store;
  const newest = await db.selectFrom('audit_entries').select('id').orderBy('id', 'desc').limit(1).execute();
  const nextId = createEntryIds({ clock, random, newest: newest[0]?.id });
  const underWay = new Set<Promise<void>>();
  let sinceClean = 0;
  inBackground('old entries of the audit journal were not dropped', prune);

  return {
    entry,
    record: (event) =>
      inBackground('an entry of the audit journal was not stored', () =>
        store.commit([entry(event)], { durability: 'normal' }),
      ),
    async read(query = {}) {
      const limit = Math.min(Math.max(Math.trunc(query.limit ?? DEFAULT_PAGE), 1), LARGEST_PAGE);
      const rows = await selection(query)
        .limit(limit + 1)
        .execute();
      const entries = rows.slice(0, limit).map(entryFrom);
      const last = entries.at(-1);
      return rows.length > limit && last !== undefined ? { entries, next: last.id } : { entries };
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };

  function entry(event: AuditEvent): Statement {
    sinceClean += 1;
    if (sinceClean >= pruneEvery) {
      sinceClean = 0;
      inBackground('old entries of the audit journal were not dropped', prune);
    }
    return db.insertInto('audit_entries').values(rowFrom(event, nextId(), clock.nowMs()));
  }

  function selection({ userName, action, object, fromMs, untilMs, cursor }: AuditQuery) {
    let rows = db.selectFrom('audit_entries').selectAll().orderBy('id', 'desc');
    if (userName !== undefined) rows = rows.where('user_name', '=', userName);
    if (action !== undefined) rows = rows.where('action', '=', action);
    if (object !== undefined) rows = rows.where('object_kind', '=', object.kind);
    if (object?.id !== undefined) rows = rows.where('object_id', '=', object.id);
    if (fromMs !== undefined) rows = rows.where('at_ms', '>=', fromMs);
    if (untilMs !== undefined) rows = rows.where('at_ms', '<', untilMs);
    return cursor === undefined ? rows : rows.where('id', '<', cursor);
  }

  async function prune(): Promise<void> {
    await keepNewest(['done'], mostEntries);
    await keepNewest(['refused', 'failed'], mostRefusals);
  }

  async function keepNewest(outcomes: readonly AuditOutcome[], most: number): Promise<void> {
    const [tooOld] = await db
      .selectFrom('audit_entries')
      .select('id')
      .where('outcome', 'in', outcomes)
      .orderBy('id', 'desc')
      .offset(most)
      .limit(1)
      .execute();
    if (tooOld === undefined) return;
    const deletion = db
      .deleteFrom('audit_entries')
      .where('outcome', 'in', outcomes)
      .where('id', '<=', tooOld.id);
    await store.commit([deletion], { durability: 'normal' });
  }

  function inBackground(complaint: string, work: () => Promise<void>): Promise<void> {
    const run = work().catch((error: unknown) => logger.error(complaint, { reason: messageOf(error) }));
    underWay.add(run);
    return run.finally(() => underWay.delete(run));
  }
}

function rowFrom(event: AuditEvent, id: string, atMs: number): Row {
  const { actor, action, object, outcome = 'done', details = {} } = event;
  return {
    ...{ id, at_ms: atMs, action, outcome },
    ...{ user_id: actor.userId ?? '', user_name: text(actor.userName), address: text(actor.address ?? '') },
    ...{ object_kind: object.kind, object_id: text(object.id), object_name: text(object.name ?? '') },
    details: JSON.stringify(masked(details)),
  };
}

/** Names come from strangers: bounded, and without what no text column of PostgreSQL holds. */
function text(value: string): string {
  return value.replaceAll('\u0000', '').slice(0, LONGEST_TEXT);
}

function masked(details: AuditDetails): AuditDetails {
  const clean = (value: string) => redactText(text(value));
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => {
      if (isSecretName(name) && typeof value !== 'boolean') return [name, '********'];
      if (typeof value === 'string') return [name, clean(value)];
      return [name, Array.isArray(value) ? value.map(clean) : value];
    }),
  );
}

function entryFrom(row: Row): AuditEntry {
  return {
    id: row.id,
    atMs: Number(row.at_ms),
    actor: { userId: row.user_id, userName: row.user_name, address: row.address },
    action: row.action,
    object: { kind: row.object_kind, id: row.object_id, name: row.object_name },
    outcome: row.outcome as AuditOutcome,
    details: JSON.parse(row.details) as AuditDetails,
  };
}
