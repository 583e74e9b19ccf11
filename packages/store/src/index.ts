export { type Generated, type Kysely, type Migration, type Selectable, sql } from 'kysely';
export type { Migrations } from './migrations.ts';
export { openSqliteStore, type SqliteStoreOptions } from './open-sqlite-store.ts';
export { type ExpectingStatement, expectChanges, type Statement } from './statement.ts';
export type {
  CommitOptions,
  Store,
  StoreCapabilities,
  StoreMeta,
  TransactionOptions,
} from './store.ts';
export type { ThreadStatistics as StoreStatistics } from './thread-client.ts';
export type { Durability, SqlValue } from './thread-protocol.ts';
export { probeStore, readTierLife, type TierLife, tierLifeAssignments } from './tier-life.ts';
