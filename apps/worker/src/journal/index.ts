export type { InstanceEntry, Outcome, WorkerMeta } from './entry.ts';
export { type Journal, openJournal } from './journal.ts';
export type { JournalLine } from './line.ts';
