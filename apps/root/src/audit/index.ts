export type { AuditActor, AuditDetails, AuditEntry, AuditEvent, AuditObject, AuditOutcome } from './entry.ts';
export {
  type AuditJournal,
  type AuditJournalOptions,
  type AuditPage,
  type AuditQuery,
  type AuditWriter,
  openAuditJournal,
} from './journal.ts';
export { type AuditSchema, auditMigrations } from './schema.ts';
