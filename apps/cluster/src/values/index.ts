export { type ValuesSchema, valuesMigrations } from './schema.ts';
export { openValueStore, type ValueStore } from './value-store.ts';
