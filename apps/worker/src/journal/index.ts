export type { InstanceEntry, Outcome, WorkerMeta } from './entry.ts';
export { type Journal, type JournalContent, openJournal } from './journal.ts';
export type { JournalLine } from './line.ts';
