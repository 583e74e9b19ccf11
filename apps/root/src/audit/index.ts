export type { AuditEvent } from './entry.ts';
export {
  type AuditJournal,
  type AuditJournalOptions,
  type AuditWriter,
  openAuditJournal,
} from './journal.ts';
export { type AuditSchema, auditMigrations } from './schema.ts';
