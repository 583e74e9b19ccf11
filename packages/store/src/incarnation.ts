import { stat } from 'node:fs/promises';
import type { Logger, Random } from '@oakestra/daemon';
import { randomHex } from '@oakestra/daemon';
import type { CompiledQuery, Kysely } from 'kysely';
import { sql } from 'kysely';

export const metaTable = 'oakestra_meta';

export interface MetaSchema {
  readonly [metaTable]: { readonly key: string; readonly value: string };
}

/** Keys that the store keeps for itself. */
export const metaKey = {
  incarnation: 'store.incarnation',
  /** Identity of the file, or of the database, that the incarnation was minted for. */
  identity: 'store.file',
  /** Present in a backup until it is opened. */
  backup: 'store.backup',
  /** The row that an opener locks, where several may open the store. */
  lock: 'store.lock',
  /** The oldest migration that a program must know to use the store. */
  compatibleFrom: 'store.compatible-from',
} as const;

export type StoreFacts = ReadonlyMap<string, string>;

/** Reads all facts; undefined where the store is new. */
export async function readFacts(db: Kysely<MetaSchema>): Promise<StoreFacts | undefined> {
  const tables = await db.introspection.getTables();
  if (!tables.some((table) => table.name === metaTable)) {
    return undefined;
  }
  const rows = await db.selectFrom(metaTable).select(['key', 'value']).execute();
  return new Map(rows.map(({ key, value }) => [key, value]));
}

export function createMetaTable(db: Kysely<MetaSchema>): CompiledQuery {
  return db.schema
    .createTable(metaTable)
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .compile();
}

export function assign(db: Kysely<MetaSchema>, key: string, value: string): CompiledQuery {
  return db
    .insertInto(metaTable)
    .values({ key, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: sql<string>`excluded.value` }))
    .compile();
}

/**
 * Tells this file from a copy of it that replaced it. The time of birth is left out where the file system does
 * not know it (then it reads as zero, or as the time of the last change).
 */
export async function fileIdentity(path: string): Promise<string> {
  const { ino, birthtimeNs, ctimeNs } = await stat(path, { bigint: true });
  const isBirthKnown = birthtimeNs > 0n && birthtimeNs !== ctimeNs;
  return isBirthKnown ? `${ino}:${birthtimeNs}` : `${ino}`;
}

/** Compares part by part; one that is unknown on either side (missing, or `-`) matches any. */
function isSameIdentity(left: string, right: string): boolean {
  const others = right.split(':');
  return left.split(':').every((part, index) => {
    const other = others[index];
    return other === undefined || part === '-' || other === '-' || part === other;
  });
}

export interface IncarnationPlan {
  readonly incarnation: string;
  /** What has to be stored; empty when nothing changes. */
  readonly statements: readonly CompiledQuery[];
}

export interface PlanIncarnationOptions {
  readonly db: Kysely<MetaSchema>;
  readonly facts: StoreFacts;
  /** Tells this database from a copy of it: parts, separated by colons. */
  readonly identity: string;
  readonly random: Random;
  readonly logger: Logger;
}

/** Keeps the incarnation of a store that is what it was, and mints one for a new, restored or copied store. */
export function planIncarnation(options: PlanIncarnationOptions): IncarnationPlan {
  const { db, facts, identity, random, logger } = options;
  const stored = facts.get(metaKey.incarnation);
  const storedIdentity = facts.get(metaKey.identity);
  const isBackup = facts.has(metaKey.backup);
  const isCopy = storedIdentity !== undefined && !isSameIdentity(storedIdentity, identity);
  if (stored !== undefined && !isBackup && !isCopy) {
    return { incarnation: stored, statements: [] };
  }
  const incarnation = randomHex(random, 16);
  if (stored !== undefined) {
    logger.warn('the store was restored or copied: it starts a new incarnation', { incarnation });
  }
  return {
    incarnation,
    statements: [
      assign(db, metaKey.incarnation, incarnation),
      assign(db, metaKey.identity, identity),
      db.deleteFrom(metaTable).where('key', '=', metaKey.backup).compile(),
    ],
  };
}
