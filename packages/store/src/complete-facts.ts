import type { Logger, Random } from '@oakestra/daemon';
import type { Kysely } from 'kysely';
import {
  assign,
  type IncarnationPlan,
  type MetaSchema,
  metaKey,
  planIncarnation,
  type StoreFacts,
} from './incarnation.ts';
import type { MigrationPlan, Migrations } from './migrations.ts';

export interface CompleteFactsOptions {
  readonly db: Kysely<MetaSchema>;
  readonly facts: StoreFacts;
  readonly migrations: Migrations;
  /** What `migrate` found. */
  readonly plan: MigrationPlan;
  readonly compatibleFrom: string | undefined;
  /** Tells this database from a copy of it. */
  readonly identity: string;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a store has to write about itself after its schema is up to date; nothing when nothing changes. */
export function completeFacts(options: CompleteFactsOptions): IncarnationPlan {
  const { db, facts, migrations, plan, identity, random, logger } = options;
  const incarnation = planIncarnation({ db, facts, identity, random, logger });
  const compatibleFrom = options.compatibleFrom ?? Object.keys(migrations).sort().at(-1);
  const isChanged = compatibleFrom !== facts.get(metaKey.compatibleFrom);
  // Only the newest program that used the store knows who else may.
  if (compatibleFrom === undefined || !isChanged || plan.unknown.length > 0) {
    return incarnation;
  }
  const statement = assign(db, metaKey.compatibleFrom, compatibleFrom);
  return { ...incarnation, statements: [statement, ...incarnation.statements] };
}
