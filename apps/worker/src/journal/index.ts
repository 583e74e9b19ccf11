export { type Journal, type JournalContent, openJournal } from './journal.ts';
export type { JournalLine } from './line.ts';
