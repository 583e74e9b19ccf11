export { openWorkerRegistry, type WorkerRegistry } from './registry.ts';
export { type WorkersSchema, workersMigrations } from './schema.ts';
export { createWorkerSessions } from './sessions.ts';
