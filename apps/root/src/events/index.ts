export { type EventJournal, type JournalEvent, openEventJournal } from './journal.ts';
export { type EventsSchema, eventsMigrations } from './schema.ts';
export { createEventSharing } from './sharing.ts';
