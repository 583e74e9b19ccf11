export { type Generated, type Kysely, type Migration, type Selectable, sql } from 'kysely';
export { fencedStore } from './fenced-store.ts';
export { createLease, type Lease, type LeaseOptions } from './lease.ts';
export type { LeaseStore } from './lease-table.ts';
export type { Migrations } from './migrations.ts';
export type { PostgresStoreOptions } from './open-postgres-store.ts';
export { openSqliteStore, type SqliteStoreOptions } from './open-sqlite-store.ts';
export { openStore, type StoreOptions } from './open-store.ts';
export { type RestoreOptions, type RestoreResult, restoreFrom } from './restore-from.ts';
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
